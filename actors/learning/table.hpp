#pragma once

/// What the parameters of a model look like: a list of named tables, in the order in which the
/// model declares them. Dense tables are pulled and pushed whole; sparse tables by row.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradmesh::learning {

enum class table_kind : std::uint8_t { dense = 0, sparse = 1 };

/// How a parameter that nobody has pushed to yet looks. `uniform`: an independent draw from
/// [-limit, limit) that depends on nothing but (job seed, table, position), so that any shard
/// makes the same.
enum class initializer : std::uint8_t { zeros = 0, uniform = 1 };

struct table_spec {
  std::string name;
  table_kind kind = table_kind::dense;
  /// Dense: number of elements. Sparse: floats in a row.
  std::uint64_t width = 0;
  initializer init = initializer::zeros;
  float init_limit = 0;

  bool operator==(const table_spec&) const = default;
};

/// Elements [first, last) of the dense space, and a name of their values: the same name is the same
/// values. 0: no name.
struct dense_version {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t version = 0;
};

/// Parameters as a step sees them, or gradients in the same layout.
/// `dense`: all dense tables one after another in declaration order.
/// `sparse[t]`: the t-th sparse table's rows, keys x width, row-major, in the order of
/// the step's (strictly ascending) key list.
/// `versions`: of blocks of `dense`, ascending and apart; may be empty.
template <class Float>
struct basic_parameters {
  std::span<Float> dense;
  std::vector<std::span<Float>> sparse;
  std::span<const dense_version> versions = {};
};
using parameter_view = basic_parameters<const float>;
using gradient_view = basic_parameters<float>;

/// Elements in all dense tables together.
std::uint64_t dense_size(const std::vector<table_spec>& tables);

} // namespace gradmesh::learning
