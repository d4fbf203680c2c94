#pragma once

/// One filled-in message of every kind, so that mutation begins with every field of the schema.

#include "actors/mesh/frame.hpp"

#include <vector>

namespace gradmesh::fuzz {

/// What the targets decode batches and partitions against.
inline constexpr std::uint32_t features = 10;
inline constexpr std::uint32_t classes = 3;
inline constexpr std::uint32_t partitions = 4;
inline const std::vector<std::size_t> row_widths{2, 3};

/// For every message of GRADMESH_MESSAGES one with nothing set and one with everything set.
std::vector<mesh::frame> generic_messages();

/// Messages whose fields and bodies fit together: a plan, batches, a partition.
mesh::frame sample_plan();
mesh::frame sample_sparse_batch();
mesh::frame sample_dense_batch();
mesh::frame sample_partition();

} // namespace gradmesh::fuzz
