/// IDX: a file of images and one of labels.

#include "tests/fuzz/dataset_promises.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/learning/data/idx.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::fuzz {
namespace {

/// An input: bytes of the labels' file, the labels' file, the images' file.
std::string input_of(std::string_view labels, std::string_view images) {
  std::string input{static_cast<char>(labels.size() & 0xff), static_cast<char>(labels.size() >> 8)};
  return input.append(labels).append(images);
}

} // namespace

std::vector<std::string> seeds() {
  using namespace std::string_view_literals;
  return {
      input_of("\0\0\x08\x01\0\0\0\x02\x07\xff"sv,
               "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\x01\x02\x03\xfe\xff"sv),
      input_of("\0\0\x08\x01\0\0\0\x01\0"sv, "\0\0\x08\x03\0\0\0\x01\0\0\0\x02\0\0\0\x02wxyz"sv)};
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const std::size_t told = in.two_bytes();
  const auto labels = in.rest().substr(0, told);
  const auto images = in.rest().substr(labels.size());
  auto rows = learning::read_idx(images, "images", labels, "labels");
  if (!rows) {
    promise(rows.failure().code == errc::malformed_data, "what cannot be read is malformed");
    return false;
  }
  check_rows(*rows);
  promise(rows->size() + 8 == labels.size() && rows->values.size() + 16 == images.size(),
          "every byte after the headers is a label or a pixel");
  promise(std::ranges::all_of(rows->values,
                              [](float v) { return v >= 0 && v <= 255 && v == std::floor(v); }),
          "pixels are bytes");
  return assembled(*std::move(rows)).has_value();
}

} // namespace gradmesh::fuzz
