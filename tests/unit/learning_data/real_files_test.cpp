#include "actors/learning/data/load.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <optional>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

const std::string folder = "../shared/data/";

/// The data, or nothing (and a message) where the folder is absent.
std::optional<split_dataset> load(const data_source& source) {
  const auto disk = env::make_disk();
  if (!disk->exists(source.train)) {
    MESSAGE("skipped: no " << source.train);
    return std::nullopt;
  }
  auto loaded = load_data(source, *disk, nullptr);
  if (!loaded) FAIL(loaded.failure().text);
  return std::move(loaded->data);
}

} // namespace

TEST_CASE("the mushrooms are 6513 and 1611 sparse rows of 126 features") {
  data_source source;
  source.format = "libsvm";
  source.train = folder + "agaricus/agaricus.txt.train";
  source.test = folder + "agaricus/agaricus.txt.test";
  const auto data = load(source);
  if (!data) return;
  CHECK(data->train.size() == 6513);
  CHECK(data->test.size() == 1611);
  CHECK(data->train.shape == data_shape{layout::sparse, 126, 2});
  CHECK(data->class_names == std::vector<std::string>{"0", "1"});
  CHECK(data->train.labels[0] == 1);
  CHECK(data->train.indices[0] == 2);
}

TEST_CASE("the collisions are 7000 and 500 dense rows of 28 features") {
  data_source source;
  source.format = "tsv";
  source.train = folder + "higgs/binary.train";
  source.test = folder + "higgs/binary.test";
  const auto data = load(source);
  if (!data) return;
  CHECK(data->train.size() == 7000);
  CHECK(data->test.size() == 500);
  CHECK(data->train.shape == data_shape{layout::dense, 28, 2});
  CHECK(data->train.values[0] == 0.869f);
  CHECK(data->train.values[27] == 0.877f);
}

TEST_CASE("the digits are 8000 and 2000 images of 784 pixels") {
  data_source source;
  source.format = "idx";
  source.train = folder + "mnist/t10k-images-idx3-ubyte.gz";
  source.train_labels = folder + "mnist/t10k-labels-idx1-ubyte.gz";
  source.test_last = 2000;
  source.scale = 1.0f / 255.0f;
  const auto data = load(source);
  if (!data) return;
  CHECK(data->train.size() == 8000);
  CHECK(data->test.size() == 2000);
  CHECK(data->train.shape == data_shape{layout::dense, 784, 10});
  CHECK(data->train.labels[0] == 7);
  const auto [darkest, brightest] =
      std::minmax_element(data->train.values.begin(), data->train.values.end());
  CHECK(*darkest == 0);
  CHECK(*brightest == doctest::Approx(1));
}
