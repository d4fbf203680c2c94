#include "actors/learning/data/idx.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace gradmesh::learning {
namespace {

constexpr std::uint32_t images_magic = 0x00000803; // unsigned bytes, 3 dimensions
constexpr std::uint32_t labels_magic = 0x00000801; // unsigned bytes, 1 dimension
constexpr std::uint64_t features_max = std::numeric_limits<std::uint32_t>::max();

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string hexadecimal(std::uint32_t value) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

struct idx_file {
  std::uint64_t count = 0;      // of images or labels
  std::uint64_t item_bytes = 0; // of one of them
  std::string_view items;
};

/// Checks the header against the length of the file: what it returns holds count * item_bytes
/// bytes.
result<idx_file> open(std::string_view bytes, const std::string& name, std::uint32_t magic) {
  const std::size_t dimensions = magic & 0xff;
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header)
    return byte_error(name, bytes.size(),
                      "ends in the header of " + std::to_string(header) + " bytes");
  if (big_endian(bytes, 0) != magic)
    return byte_error(name, 0,
                      "magic number " + hexadecimal(big_endian(bytes, 0)) + " where " +
                          hexadecimal(magic) + " (IDX " +
                          (magic == images_magic ? "images" : "labels") + ") belongs");
  idx_file file;
  file.count = big_endian(bytes, 4);
  file.item_bytes = 1;
  for (std::size_t i = 1; i < dimensions; ++i) {
    const std::uint32_t size = big_endian(bytes, 4 + 4 * i);
    if (size == 0) return byte_error(name, 4 + 4 * i, "an image has no pixels");
    file.item_bytes *= size; // two 32-bit factors: no overflow
  }
  if (file.count == 0) return byte_error(name, 4, "has no examples");
  if (file.count > rows_max || file.item_bytes > features_max)
    return byte_error(name, 4,
                      std::to_string(file.count) + " items of " + std::to_string(file.item_bytes) +
                          " bytes are more than can be addressed");
  file.items = bytes.substr(header);
  const std::uint64_t expected = file.count * file.item_bytes; // < 2^31 * 2^32
  if (file.items.size() != expected)
    return byte_error(name, header + std::min<std::uint64_t>(file.items.size(), expected),
                      (file.items.size() < expected ? "ends after " : "goes on after ") +
                          std::to_string(std::min<std::uint64_t>(file.items.size(), expected)) +
                          " bytes of data; the header says " + std::to_string(file.count) +
                          " items of " + std::to_string(file.item_bytes) + " bytes");
  return file;
}

} // namespace

result<file_rows> read_idx(std::string_view images, const std::string& images_name,
                           std::string_view labels, const std::string& labels_name) {
  const auto image_file = open(images, images_name, images_magic);
  if (!image_file) return image_file.failure();
  const auto label_file = open(labels, labels_name, labels_magic);
  if (!label_file) return label_file.failure();
  if (image_file->count != label_file->count)
    return byte_error(labels_name, 4,
                      std::to_string(label_file->count) + " labels, but " + images_name + " has " +
                          std::to_string(image_file->count) + " images");

  file_rows rows;
  rows.name = labels_name;
  rows.kind = layout::dense;
  rows.index_max = static_cast<std::uint32_t>(image_file->item_bytes);
  rows.values.reserve(image_file->items.size());
  for (const char pixel : image_file->items)
    rows.values.push_back(static_cast<unsigned char>(pixel));
  rows.labels.reserve(label_file->items.size());
  for (const char label : label_file->items)
    rows.labels.push_back(static_cast<unsigned char>(label));
  return rows;
}

} // namespace gradmesh::learning
