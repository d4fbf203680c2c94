#include "actors/learning/data/load.hpp"

#include "actors/env/memory_disk.hpp"
#include "builders.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

/// Files "train" and "test" in memory, read as CSV unless the test says otherwise.
struct files {
  env::memory_disk disk;
  data_source source;

  files() {
    source.format = "csv";
    source.train = "train";
    std::string rows;
    for (int i = 0; i < 100; ++i)
      rows += std::to_string(i % 2) + "," + std::to_string(i) + "\n";
    REQUIRE(disk.write("train", rows));
  }

  result<loaded_data> load() { return load_data(source, disk, nullptr); }

  split_dataset data() {
    auto loaded = load();
    REQUIRE(loaded);
    return std::move(loaded->data);
  }

  error failure() {
    const auto loaded = load();
    REQUIRE_FALSE(loaded);
    return loaded.failure();
  }
};

} // namespace

TEST_CASE("without a test set everything is for training") {
  files f;
  CHECK(f.data().train.size() == 100);
  CHECK(f.data().test.size() == 0);
  CHECK(f.data().test.shape == f.data().train.shape);
  CHECK(f.load()->source == "train");
}

TEST_CASE("the last rows can be the test set") {
  files f;
  f.source.test_last = 30;
  const auto data = f.data();
  CHECK(data.train.size() == 70);
  CHECK(data.train.values.back() == 69);
  CHECK(data.test.values.size() == 30);
  CHECK(data.test.values.front() == 70);
  CHECK(data.test.labels.size() == 30);
}

TEST_CASE("a share of the rows can be the test set, the same each time and another by seed") {
  files f;
  f.source.test_fraction = 0.3;
  const auto data = f.data();
  CHECK(data.train.size() + data.test.size() == 100);
  CHECK(data.test.size() > 15);
  CHECK(data.test.size() < 45);
  CHECK(f.data().test.values == data.test.values);
  f.source.seed = 1;
  CHECK(f.data().test.values != data.test.values);
}

TEST_CASE("sparse rows keep their entries when they are split") {
  files f;
  f.source.format = "libsvm";
  REQUIRE(f.disk.write("train", "0 1:1 4:4\n1\n0 2:2\n1 3:3 4:5\n"));
  f.source.test_last = 2;
  const auto data = f.data();
  CHECK(data.train.offsets == std::vector<std::uint32_t>{0, 2, 2});
  CHECK(data.test.offsets == std::vector<std::uint32_t>{0, 1, 3});
  CHECK(data.test.indices == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(data.test.values == std::vector<float>{2, 3, 5});
  CHECK(data.test.labels == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("a split that leaves a half empty is refused") {
  files f;
  for (const std::uint64_t count :
       {std::uint64_t{100}, std::numeric_limits<std::uint64_t>::max()}) {
    f.source.test_last = count;
    CHECK(f.failure().code == errc::invalid_argument);
  }
  f.source.test_last = 0;
  f.source.test_fraction = 1e-9;
  CHECK(f.failure().code == errc::invalid_argument);
}

TEST_CASE("values are multiplied by the scale, which must be finite and not zero") {
  files f;
  f.source.scale = 0.5f;
  CHECK(f.data().train.values[3] == 1.5f);
  for (const float scale : {0.0f, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), 3e38f}) {
    CAPTURE(scale);
    f.source.scale = scale;
    CHECK(f.failure().code == errc::invalid_argument);
  }
}

TEST_CASE("gzip is recognised in every file") {
  files f;
  REQUIRE(f.disk.write("train", test::gzip("1,2\n0,3\n")));
  CHECK(f.data().train.values == std::vector<float>{2, 3});
  f.source.format = "idx";
  f.source.train_labels = "labels";
  REQUIRE(f.disk.write("train", test::gzip(test::idx_images(2, 1, 1, "ab"))));
  REQUIRE(f.disk.write("labels", test::gzip(test::idx_labels({"\0\1", 2}))));
  CHECK(f.data().train.values == std::vector<float>{'a', 'b'});
}

TEST_CASE("a missing file is named") {
  files f;
  f.source.test = "nowhere";
  CHECK(f.failure() == error{errc::not_found, "cannot open 'nowhere': No such file or directory"});
}

TEST_CASE("labels of a saved model's classes keep their numbers") {
  files f;
  f.source.class_names = {"1", "5", "0"};
  const auto data = f.data();
  CHECK(data.train.shape.classes == 3);
  CHECK(data.train.labels[0] == 2);
  CHECK(data.train.labels[1] == 0);
}

TEST_CASE("a classes.txt beside a libsvm file names its classes") {
  files f;
  f.source.format = "libsvm";
  f.source.train = "dir/train";
  REQUIRE(f.disk.create_directories("dir"));
  REQUIRE(f.disk.write("dir/train", "1 1:1\n"));
  REQUIRE(f.disk.write("dir/classes.txt", "cat\ndog\n"));
  CHECK(f.data().class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(f.data().train.labels == std::vector<std::int32_t>{1});
  REQUIRE(f.disk.write("dir/train", "2 1:1\n"));
  CHECK(f.failure().text == "dir/train:1: label 2 is no class; expected 0, 1");
  REQUIRE(f.disk.write("dir/classes.txt", "cat\ncat\n"));
  CHECK(f.failure().text == "dir/classes.txt: class name 'cat' occurs twice");
}

TEST_CASE("keys that do not fit the format or each other are refused before a file is opened") {
  const auto refused = [](auto change) {
    files f;
    f.source.train = "missing";
    change(f.source);
    const auto failure = f.failure();
    CAPTURE(failure.text);
    CHECK(failure.code == errc::invalid_argument);
    CHECK(failure.text.starts_with("data: "));
  };
  refused([](data_source& s) { s.format = "parquet"; });
  refused([](data_source& s) { s.train = ""; });
  refused([](data_source& s) { s.test = "t", s.test_last = 1; });
  refused([](data_source& s) { s.test_fraction = 0.5, s.test_last = 1; });
  refused([](data_source& s) { s.test_fraction = 1; });
  refused([](data_source& s) { s.test_fraction = -0.1; });
  refused([](data_source& s) { s.test_fraction = std::numeric_limits<double>::quiet_NaN(); });
  refused([](data_source& s) { s.classes = 0xffffffff; });
  refused([](data_source& s) { s.train_labels = "labels"; });
  refused([](data_source& s) { s.format = "idx"; });
  refused([](data_source& s) { s.format = "idx", s.train_labels = "l", s.test = "t"; });
  refused([](data_source& s) { s.format = "idx", s.train_labels = "l", s.test_labels = "t"; });
  refused([](data_source& s) { s.format = "debian-packages"; });
  refused([](data_source& s) { s.format = "debian-packages", s.train = "", s.test_last = 1; });
}
