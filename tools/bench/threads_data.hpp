#pragma once

/// Made-up examples for `gradmesh bench threads`: labels come from a hidden linear model and some
/// noise. The same numbers give the same examples.

#include "actors/learning/dataset.hpp"

#include <cstddef>
#include <cstdint>

namespace gradmesh::tools::bench {

struct made_up {
  learning::layout kind = learning::layout::sparse;
  std::size_t examples = 0;
  std::uint32_t features = 0;
  std::uint32_t classes = 0;
  std::uint32_t entries = 0; // of an example, at different features at random; sparse only
  std::uint64_t seed = 1;
};

/// Every example has a length of 1, so that a step means the same for any number of entries.
learning::dataset make_examples(const made_up& what);

/// The same examples in a random order, which is what training sees.
learning::dataset shuffled(const learning::dataset& data, std::uint64_t seed);

} // namespace gradmesh::tools::bench
