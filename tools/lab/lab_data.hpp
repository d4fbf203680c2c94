#pragma once

/// Seeded examples for experiments: the same on every machine.

#include "actors/learning/dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace gradmesh::tools::lab {

/// Sparse examples of 8 features each out of `features`, labelled by a hidden linear model of
/// `classes` classes, so that they can be learned.
learning::dataset learnable_examples(std::uint64_t seed, std::size_t count, std::uint32_t features,
                                     std::uint32_t classes);

/// Dense ones, labelled in the same way.
learning::dataset dense_examples(std::uint64_t seed, std::size_t count, std::uint32_t features,
                                 std::uint32_t classes);

/// As a LIBSVM file (sparse) or a CSV file with the label first (dense); values read back equal.
std::string file_text(const learning::dataset& data);

} // namespace gradmesh::tools::lab
