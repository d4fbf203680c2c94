#include "tools/lab/lab_data.hpp"

#include "actors/env/random.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

namespace gradmesh::tools::lab {
namespace {

constexpr std::size_t features_per_example = 8;

/// In steps of 1/8, so that its text is short and exact: -1, ..., 7/8.
float draw(env::random_stream& random) {
  return static_cast<float>(random.below(16)) / 8.0F - 1.0F;
}

/// Knows the right class of an example by linear functions that nobody else knows.
class labeller {
public:
  labeller(env::random_stream& random, std::uint32_t features, std::uint32_t classes)
      : scores_(classes), weights_(std::size_t{features} * classes) {
    for (auto& weight : weights_)
      weight = draw(random);
  }

  void add(std::uint32_t feature, float value) {
    for (std::size_t c = 0; c < scores_.size(); ++c)
      scores_[c] += value * weights_[feature * scores_.size() + c];
  }
  std::int32_t take_label() {
    const auto best = std::ranges::max_element(scores_) - scores_.begin();
    std::ranges::fill(scores_, 0.0F);
    return static_cast<std::int32_t>(best);
  }

private:
  std::vector<float> scores_;
  std::vector<float> weights_;
};

} // namespace

learning::dataset learnable_examples(std::uint64_t seed, std::size_t count, std::uint32_t features,
                                     std::uint32_t classes) {
  env::random_stream random(seed);
  labeller labels(random, features, classes);
  learning::dataset data{{learning::layout::sparse, features, classes}, {}, {0}, {}, {}};
  for (std::size_t i = 0; i < count; ++i) {
    std::set<std::uint32_t> chosen;
    while (chosen.size() < features_per_example)
      chosen.insert(static_cast<std::uint32_t>(random.below(features)));
    for (const auto feature : chosen) {
      const auto value = draw(random) + 1.0F / 16; // never 0
      data.indices.push_back(feature);
      data.values.push_back(value);
      labels.add(feature, value);
    }
    data.offsets.push_back(static_cast<std::uint32_t>(data.indices.size()));
    data.labels.push_back(labels.take_label());
  }
  return data;
}

learning::dataset dense_examples(std::uint64_t seed, std::size_t count, std::uint32_t features,
                                 std::uint32_t classes) {
  env::random_stream random(seed);
  labeller labels(random, features, classes);
  learning::dataset data{{learning::layout::dense, features, classes}, {}, {}, {}, {}};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint32_t feature = 0; feature < features; ++feature) {
      data.values.push_back(draw(random));
      labels.add(feature, data.values.back());
    }
    data.labels.push_back(labels.take_label());
  }
  return data;
}

std::string file_text(const learning::dataset& data) {
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    text += fmt::format("{}", data.labels[i]);
    if (data.shape.kind == learning::layout::sparse)
      for (auto e = data.offsets[i]; e < data.offsets[i + 1]; ++e)
        text += fmt::format(" {}:{}", data.indices[e] + 1, data.values[e]);
    else
      for (std::size_t f = 0; f < data.shape.features; ++f)
        text += fmt::format(",{}", data.values[i * data.shape.features + f]);
    text += '\n';
  }
  return text;
}

} // namespace gradmesh::tools::lab
