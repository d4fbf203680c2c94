#pragma once

/// The wire form of an exported partition: schema::PartitionContent.

#include "actors/mesh/message.hpp"
#include "actors/parameters/body_layout.hpp"
#include "actors/parameters/partition_content.hpp"
#include "actors/parameters/partition_map.hpp"

namespace gradmesh::job {

/// Errors: `limit_exceeded` when the partition does not fit in a frame (use more partitions).
result<mesh::draft<schema::PartitionContent>>
encode_partition(std::uint64_t job_id, const parameters::partition_content& content);

/// Errors: `malformed_message` unless sizes fit the map and the tables' row widths.
result<parameters::partition_content>
decode_partition(const mesh::message<schema::PartitionContent>& content,
                 const parameters::partition_map& map, const std::vector<std::size_t>& row_widths);

} // namespace gradmesh::job
