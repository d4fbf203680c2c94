#include "actors/learning/data/idx.hpp"

#include "actors/env/memory_disk.hpp"
#include "actors/learning/data/load.hpp"
#include "builders.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::learning;
using namespace gradmesh::learning::test;

namespace {

const std::string two_images = idx_images(2, 1, 3, {"\x00\x01\xff\x02\x03\x04", 6});
const std::string two_labels = idx_labels({"\x09\x00", 2});

std::string failure_of(std::string_view images, std::string_view labels) {
  const auto rows = read_idx(images, "i", labels, "l");
  REQUIRE_FALSE(rows);
  CHECK(rows.failure().code == errc::malformed_data);
  return rows.failure().text;
}

} // namespace

TEST_CASE("idx images become dense rows with their labels") {
  const auto rows = read_idx(two_images, "i", two_labels, "l");
  REQUIRE(rows);
  CHECK(rows->kind == layout::dense);
  CHECK(rows->index_max == 3);
  CHECK(rows->labels == std::vector<std::int64_t>{9, 0});
  CHECK(rows->values == std::vector<float>{0, 1, 255, 2, 3, 4});
}

TEST_CASE("idx pixels are multiplied by the scale") {
  env::memory_disk disk;
  REQUIRE(disk.write("i", two_images));
  REQUIRE(disk.write("l", two_labels));
  data_source source;
  source.format = "idx";
  source.train = "i";
  source.train_labels = "l";
  const auto loaded = load_data(source, disk, nullptr);
  REQUIRE(loaded);
  CHECK(loaded->data.train.values == std::vector<float>{0, 1, 255, 2, 3, 4});
  CHECK(loaded->data.class_names == std::vector<std::string>{"0", "9"});
  source.scale = 2;
  const auto scaled = load_data(source, disk, nullptr);
  REQUIRE(scaled);
  CHECK(scaled->data.train.values == std::vector<float>{0, 2, 510, 4, 6, 8});
  source.scale = 1e38f;
  const auto infinite = load_data(source, disk, nullptr);
  REQUIRE_FALSE(infinite);
  CHECK(infinite.failure().code == errc::invalid_argument);
}

TEST_CASE("a wrong idx magic number is shown with the one that belongs there") {
  CHECK(failure_of(two_labels + two_labels, two_labels) ==
        "i: byte 0: magic number 0x00000801 where 0x00000803 (IDX images) belongs");
  CHECK(failure_of(two_images, two_images) ==
        "l: byte 0: magic number 0x00000803 where 0x00000801 (IDX labels) belongs");
}

TEST_CASE("an idx file cut off anywhere is refused with the byte where it ends") {
  for (std::size_t length = 0; length < two_images.size(); ++length) {
    CAPTURE(length);
    CHECK(failure_of(two_images.substr(0, length), two_labels)
              .starts_with("i: byte " + std::to_string(length) + ": ends "));
  }
  for (std::size_t length = 0; length < two_labels.size(); ++length) {
    CAPTURE(length);
    CHECK(failure_of(two_images, two_labels.substr(0, length))
              .starts_with("l: byte " + std::to_string(length) + ": ends "));
  }
}

TEST_CASE("bytes after the idx data are refused with their position") {
  CHECK(failure_of(two_images + "x", two_labels) ==
        "i: byte 22: goes on after 6 bytes of data; the header says 2 items of 3 bytes");
}

TEST_CASE("idx sizes that overflow are refused before anything is allocated") {
  CHECK(failure_of(idx_images(0xffffffff, 0xffffffff, 0xffffffff, "abc"), two_labels)
            .starts_with("i: byte 4: 4294967295 items of 18446744065119617025 bytes"));
  CHECK(failure_of(idx_images(0x7fffffff, 0xffff, 0xffff, "abc"), two_labels)
            .starts_with("i: byte 19: ends after 3 bytes of data"));
}

TEST_CASE("idx files without examples or pixels are refused") {
  CHECK(failure_of(idx_images(0, 28, 28, ""), idx_labels("")) == "i: byte 4: has no examples");
  CHECK(failure_of(idx_images(1, 28, 0, ""), idx_labels("\x01")) ==
        "i: byte 12: an image has no pixels");
}

TEST_CASE("another number of idx labels than images is refused") {
  CHECK(failure_of(two_images, idx_labels("\x01\x02\x03")) ==
        "l: byte 4: 3 labels, but i has 2 images");
}

TEST_CASE("an idx label outside the declared classes is refused with its byte") {
  env::memory_disk disk;
  REQUIRE(disk.write("i", two_images));
  REQUIRE(disk.write("l", two_labels));
  data_source source;
  source.format = "idx";
  source.train = "i";
  source.train_labels = "l";
  source.classes = 9;
  const auto loaded = load_data(source, disk, nullptr);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.failure().text ==
        "l: byte 8: label 9 is no class; expected 0, 1, 2, 3, 4, 5, 6, 7, 8");
}
