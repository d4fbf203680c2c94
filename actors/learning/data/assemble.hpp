#pragma once

/// INTERNAL to `learning/data`: from the rows of one or two files to a `split_dataset` in which
/// both halves share classes and width.

#include "actors/error.hpp"
#include "actors/learning/data/file_rows.hpp"
#include "actors/learning/data/label_map.hpp"
#include "actors/learning/dataset.hpp"

#include <cstdint>
#include <optional>

namespace gradmesh::learning {

/// `features` 0: the width is what the files show. Without `labels`, the distinct labels of the
/// training file are the classes.
/// Errors: a label that is no class, an index beyond `features`, dense files of different width.
result<split_dataset> assemble(file_rows train, std::optional<file_rows> test,
                               std::uint32_t features, std::optional<label_map> labels);

/// Moves the last `count` rows of the training set to the test set.
/// Errors: `invalid_argument` when no row would be left.
result<void> split_last(split_dataset& data, std::uint64_t count);

/// Moves about `fraction` of the training set to the test set: row i goes when
/// XXH3-64(i, seed) < fraction * 2^64. Errors: `invalid_argument` when one of them would be empty.
result<void> split_fraction(split_dataset& data, double fraction, std::uint64_t seed);

} // namespace gradmesh::learning
