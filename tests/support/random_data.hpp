#pragma once

/// Random examples whose labels can be learned: they come from a hidden linear model and some
/// noise. The same seed gives the same examples.

#include "actors/learning/dataset.hpp"

#include <cstddef>
#include <cstdint>

namespace gradmesh::testing {

/// Like agaricus: each example names `per_example` distinct features at random. Values are 1 if
/// `ones`, else drawn from [-1, 1).
learning::dataset random_sparse(std::uint64_t seed, std::size_t examples, std::uint32_t features,
                                std::uint32_t classes, std::size_t per_example, bool ones);

learning::dataset random_dense(std::uint64_t seed, std::size_t examples, std::uint32_t features,
                               std::uint32_t classes);

/// The same examples with every zero written out.
learning::dataset densified(const learning::dataset& sparse);

} // namespace gradmesh::testing
