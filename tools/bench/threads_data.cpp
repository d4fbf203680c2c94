#include "tools/bench/threads_data.hpp"

#include "actors/env/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace gradmesh::tools::bench {
namespace {

/// Uniform in [-1, 1).
double draw(env::random_stream& random) {
  return static_cast<double>(random.next() >> 11) * 0x1p-52 - 1;
}

void add_example(const learning::dataset& from, std::size_t i, learning::dataset& to) {
  const auto one = from.view().slice(i, i + 1);
  to.labels.push_back(one.labels[0]);
  if (from.shape.kind == learning::layout::dense) {
    to.values.insert(to.values.end(), one.values.begin(), one.values.end());
    return;
  }
  for (auto e = one.offsets[0]; e < one.offsets[1]; ++e) {
    to.indices.push_back(one.indices[e]);
    to.values.push_back(one.values[e]);
  }
  to.offsets.push_back(static_cast<std::uint32_t>(to.indices.size()));
}

} // namespace

learning::dataset make_examples(const made_up& what) {
  const bool sparse = what.kind == learning::layout::sparse;
  learning::dataset data{.shape = {what.kind, what.features, what.classes},
                         .labels = {},
                         .offsets = {},
                         .indices = {},
                         .values = {}};
  if (sparse) data.offsets.push_back(0);
  env::random_stream random(what.seed);
  std::vector<double> hidden(std::size_t{what.features} * what.classes);
  for (auto& w : hidden)
    w = draw(random);

  const auto entries = sparse ? what.entries : what.features;
  const double length = 1 / std::sqrt(static_cast<double>(entries));
  std::vector<std::uint32_t> chosen(entries);
  for (std::size_t i = 0; i < what.examples; ++i) {
    std::iota(chosen.begin(), chosen.end(), 0U);
    if (sparse) {
      std::size_t found = 0;
      while (found < entries) {
        const auto f = static_cast<std::uint32_t>(random.below(what.features));
        const auto end = chosen.begin() + static_cast<std::ptrdiff_t>(found);
        if (std::find(chosen.begin(), end, f) == end) chosen[found++] = f;
      }
      std::ranges::sort(chosen);
      data.indices.insert(data.indices.end(), chosen.begin(), chosen.end());
      data.offsets.push_back(static_cast<std::uint32_t>(data.indices.size()));
    }
    std::vector<double> score(what.classes);
    for (auto& s : score)
      s = 0.3 * draw(random);
    for (const auto f : chosen) {
      // Signs carry the example; all have the same size.
      const double value = random.next() % 2 == 0 ? length : -length;
      data.values.push_back(static_cast<float>(value));
      for (std::size_t c = 0; c < what.classes; ++c)
        score[c] += value * hidden[std::size_t{f} * what.classes + c];
    }
    data.labels.push_back(
        static_cast<std::int32_t>(std::ranges::max_element(score) - score.begin()));
  }
  return data;
}

learning::dataset shuffled(const learning::dataset& data, std::uint64_t seed) {
  std::vector<std::size_t> order(data.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  env::random_stream random(seed);
  for (auto i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
  learning::dataset out{
      .shape = data.shape, .labels = {}, .offsets = {}, .indices = {}, .values = {}};
  if (data.shape.kind == learning::layout::sparse) out.offsets.push_back(0);
  for (const auto i : order)
    add_example(data, i, out);
  return out;
}

} // namespace gradmesh::tools::bench
