#pragma once

/// Bytes of the binary formats, for tests.

#include <cstdint>
#include <string>
#include <string_view>
#include <zlib.h>

namespace gradmesh::learning::test {

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

inline std::string idx_labels(std::string_view labels) {
  return big_endian(0x00000801) + big_endian(static_cast<std::uint32_t>(labels.size())) +
         std::string(labels);
}

inline std::string idx_images(std::uint32_t count, std::uint32_t rows, std::uint32_t columns,
                              std::string_view pixels) {
  return big_endian(0x00000803) + big_endian(count) + big_endian(rows) + big_endian(columns) +
         std::string(pixels);
}

inline std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  deflate(&stream, Z_FINISH);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

} // namespace gradmesh::learning::test
