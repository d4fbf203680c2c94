#include "actors/learning/data/gzip.hpp"

#include "actors/learning/data/file_rows.hpp"

#include <algorithm>
#include <limits>
#include <zlib.h>

namespace gradmesh::learning {
namespace {

constexpr int gzip_only = 16 + MAX_WBITS;
constexpr std::size_t first_guess_ratio = 4;
constexpr std::size_t chunk_bytes_max = std::numeric_limits<uInt>::max();

struct inflater {
  z_stream stream{};
  bool ready = inflateInit2(&stream, gzip_only) == Z_OK;
  inflater() = default;
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  ~inflater() {
    if (ready) inflateEnd(&stream);
  }
};

} // namespace

result<std::string> inflate_if_gzip(std::string bytes, const std::string& name,
                                    std::uint64_t bytes_max) {
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  inflater gzip;
  if (!gzip.ready) return {errc::io_failed, "cannot inflate " + name + ": zlib is out of memory"};

  std::size_t consumed = 0;
  std::size_t produced = 0;
  std::string out(static_cast<std::size_t>(
                      std::min<std::uint64_t>(bytes.size() * first_guess_ratio, bytes_max)) +
                      1,
                  '\0');
  for (;;) {
    if (produced == out.size())
      out.resize(static_cast<std::size_t>(std::min<std::uint64_t>(2 * out.size(), bytes_max)) + 1);
    const auto in_chunk = std::min(bytes.size() - consumed, chunk_bytes_max);
    const auto out_chunk = std::min(out.size() - produced, chunk_bytes_max);
    gzip.stream.next_in = reinterpret_cast<Bytef*>(bytes.data() + consumed);
    gzip.stream.avail_in = static_cast<uInt>(in_chunk);
    gzip.stream.next_out = reinterpret_cast<Bytef*>(out.data() + produced);
    gzip.stream.avail_out = static_cast<uInt>(out_chunk);
    const int status = inflate(&gzip.stream, Z_NO_FLUSH);
    consumed += in_chunk - gzip.stream.avail_in;
    produced += out_chunk - gzip.stream.avail_out;
    if (produced > bytes_max)
      return {errc::limit_exceeded,
              name + " inflates to more than the limit of " + std::to_string(bytes_max) + " bytes"};

    if (status == Z_STREAM_END) {
      if (consumed == bytes.size()) break;
      inflateReset(&gzip.stream); // the next member
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return byte_error(name, consumed,
                        std::string("damaged gzip data: ") +
                            (gzip.stream.msg ? gzip.stream.msg : "no reason given"));
    } else if (consumed == bytes.size() && gzip.stream.avail_out > 0) {
      return byte_error(name, consumed, "the gzip data is cut off");
    }
  }
  out.resize(produced);
  return out;
}

} // namespace gradmesh::learning
