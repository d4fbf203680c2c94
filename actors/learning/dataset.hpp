#pragma once

/// Examples in memory. A `dataset` owns them, an `example_view` looks at a contiguous run of them:
/// in a dataset, or straight in the body of a received `Batch` frame.
///
/// Two layouts: sparse (CSR: `offsets`, `indices`, `values`) and dense (row-major `values`).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradmesh::learning {

enum class layout : std::uint8_t { sparse = 0, dense = 1 };

/// What a model must know about the data before it sees an example.
struct data_shape {
  layout kind = layout::sparse;
  /// Width of an example. Sparse indices are in [0, features).
  std::uint32_t features = 0;
  /// Labels are in [0, classes).
  std::uint32_t classes = 0;

  bool operator==(const data_shape&) const = default;
};

/// A run of `size()` examples; valid as long as the memory it looks at.
struct example_view {
  data_shape shape;
  std::span<const std::int32_t> labels;
  /// Sparse only: `size() + 1` offsets into `indices` and `values`; the first need not be 0, and
  /// `indices` and `values` are addressed by them as they are.
  std::span<const std::uint32_t> offsets;
  /// Sparse only: per example strictly ascending.
  std::span<const std::uint32_t> indices;
  /// Sparse: one value an index. Dense: size() x features, row-major.
  std::span<const float> values;

  std::size_t size() const { return labels.size(); }
  /// The examples [first, last) of this run.
  example_view slice(std::size_t first, std::size_t last) const;
};

struct dataset {
  data_shape shape;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> offsets; // sparse: size() + 1, begins with 0
  std::vector<std::uint32_t> indices; // sparse
  std::vector<float> values;

  std::size_t size() const { return labels.size(); }
  example_view view() const { return {shape, labels, offsets, indices, values}; }
};

/// A training and a test set of the same shape, and the names of the classes where the source has
/// them (empty otherwise).
struct split_dataset {
  dataset train;
  dataset test;
  std::vector<std::string> class_names;
};

} // namespace gradmesh::learning
