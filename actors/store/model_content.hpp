#pragma once

/// A trained model at rest: its parameters and all that is needed to score new data with them, and
/// how it is put together from the partitions that the shards export.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/learning/table.hpp"
#include "actors/parameters/partition_content.hpp"
#include "actors/parameters/partition_map.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gradmesh::store {

inline constexpr std::size_t hidden_layers_max = 256;

struct model_content {
  std::string created_by; // program and version, e.g. "gradmesh 0.1.0"
  std::string job_name;

  std::string model_kind;
  std::vector<std::uint32_t> hidden;
  float l2 = 0;
  /// Of the job; gives the initial values of sparse rows that are not stored.
  std::uint64_t seed = 0;
  learning::data_shape shape;
  /// Empty, or one a class.
  std::vector<std::string> class_names;

  /// How the training data was read, in the words of the job file.
  std::string data_format;
  std::string data_scale;
  std::string feature_options;

  std::vector<learning::table_spec> tables;
  /// All dense tables, one after another in declaration order.
  std::vector<float> dense;
  /// By sparse table in declaration order.
  std::vector<parameters::table_rows> sparse;

  bool operator==(const model_content&) const = default;
};

/// Refuses content that does not fit its own tables or is outside the limits (also those of
/// `parameters::check_tables`): `errc::invalid_argument`.
result<void> check_model(const model_content& content);

/// Sets `model.dense` and `model.sparse` from the partitions, which may come in any order;
/// `model.tables` is set. `errc::invalid_argument`, and the model as it was, if a partition is
/// missing, comes twice or is not one of the map's, if its dense part is not the map's range, if
/// its sparse tables do not fit the model's, or if a key comes twice or belongs to another
/// partition.
result<void> assemble_model(std::span<const parameters::partition_content> partitions,
                            const parameters::partition_map& map, model_content& model);

} // namespace gradmesh::store
