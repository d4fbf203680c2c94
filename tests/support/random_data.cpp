#include "tests/support/random_data.hpp"

#include <algorithm>
#include <random>
#include <set>

namespace gradmesh::testing {

using learning::dataset;
using learning::layout;

namespace {

/// Labels a dense example by the largest of `classes` random linear functions plus noise.
class labeller {
public:
  labeller(std::mt19937_64& random, std::uint32_t features, std::uint32_t classes)
      : random_(random), classes_(classes), weights_(std::size_t{features} * classes) {
    for (auto& w : weights_)
      w = draw_(random_);
  }

  std::int32_t label(const std::vector<float>& x) {
    std::vector<double> score(classes_);
    for (std::size_t c = 0; c < classes_; ++c) {
      score[c] = 0.5 * draw_(random_);
      for (std::size_t f = 0; f < x.size(); ++f)
        score[c] += weights_[f * classes_ + c] * x[f];
    }
    return static_cast<std::int32_t>(std::max_element(score.begin(), score.end()) - score.begin());
  }

private:
  std::mt19937_64& random_;
  std::uint32_t classes_;
  std::vector<double> weights_;
  std::normal_distribution<double> draw_;
};

} // namespace

dataset random_sparse(std::uint64_t seed, std::size_t examples, std::uint32_t features,
                      std::uint32_t classes, std::size_t per_example, bool ones) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> value(-1, 1);
  labeller labels(random, features, classes);
  dataset data{{layout::sparse, features, classes}, {}, {0}, {}, {}};
  for (std::size_t i = 0; i < examples; ++i) {
    std::set<std::uint32_t> chosen;
    while (chosen.size() < per_example)
      chosen.insert(static_cast<std::uint32_t>(random() % features));
    std::vector<float> x(features, 0);
    for (const auto f : chosen) {
      x[f] = ones ? 1.0F : value(random);
      data.indices.push_back(f);
      data.values.push_back(x[f]);
    }
    data.offsets.push_back(static_cast<std::uint32_t>(data.indices.size()));
    data.labels.push_back(labels.label(x));
  }
  return data;
}

dataset random_dense(std::uint64_t seed, std::size_t examples, std::uint32_t features,
                     std::uint32_t classes) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> value(-1, 1);
  labeller labels(random, features, classes);
  dataset data{{layout::dense, features, classes}, {}, {}, {}, {}};
  for (std::size_t i = 0; i < examples; ++i) {
    std::vector<float> x(features);
    for (auto& v : x)
      v = value(random);
    data.values.insert(data.values.end(), x.begin(), x.end());
    data.labels.push_back(labels.label(x));
  }
  return data;
}

dataset densified(const dataset& sparse) {
  dataset dense{sparse.shape, sparse.labels, {}, {}, {}};
  dense.shape.kind = layout::dense;
  dense.values.assign(sparse.size() * sparse.shape.features, 0);
  for (std::size_t i = 0; i < sparse.size(); ++i)
    for (auto k = sparse.offsets[i]; k < sparse.offsets[i + 1]; ++k)
      dense.values[i * sparse.shape.features + sparse.indices[k]] = sparse.values[k];
  return dense;
}

} // namespace gradmesh::testing
