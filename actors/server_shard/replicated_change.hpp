#pragma once

/// The changes of a shard as its backup is told of them: the forms of schema/replication.capnp. Who
/// sends one fills in job, shard, layout and number.

#include "actors/mesh/message.hpp"
#include "actors/server_shard/shard_parameters.hpp"
#include "actors/server_shard/update_sink.hpp"

#include <cstdint>
#include <span>

namespace gradmesh::server_shard {

/// What replicas send each other stays in its order, so it all has one priority.
inline constexpr std::uint8_t replication_priority = 1;

using change_draft = mesh::draft<schema::Replicate>;

/// Which part of which push it is.
struct pushed_name {
  std::uint32_t number = 0; // below count
  std::uint32_t count = 0;
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
};
pushed_name name_of(const pushed_part& part);

/// Parts of a push of `rank`, which were applied just now.
change_draft make_pushes(const mesh::message<schema::Push>& push, std::uint32_t rank,
                         std::span<const applied_part> parts, shard_parameters& parameters);

/// A block as it is now, without a copy, and its pushes since it was told of last; at least one.
change_draft make_block(std::uint32_t block, std::span<const pushed_name> pushes,
                        const parameters::parameter_store& store);

// Of a step that is being applied; its last one says `applied`.
change_draft make_sum(std::uint32_t block, mesh::frame_body sum);
change_draft make_sum(std::span<const std::uint64_t> keys, std::span<const float> rows);
/// A step that changes nothing.
change_draft make_empty_sum();
void set_step(change_draft& draft, const applied_step& step, bool is_last);

} // namespace gradmesh::server_shard
