#pragma once

/// A shard as bytes: everything that a copy of it needs, cut into chunks that can be taken in one
/// by one. The same shard gives the same chunks, on whatever host.
///
///   chunk  = "GMIC" version:UInt16 kind:UInt16 fields arrays     all little-endian
///   fields = UInt64*; arrays = Float32 or UInt64, each padded with zeros to a multiple of 8 bytes
///
///   strategy  1  clock runs opens arrays: runs x (first, last) of the pieces that are applied;
///                for each push that is applied in part: first last count, (count + 63) / 64 words
///                of bits by part
///   snapshot  2  block first values; arrays: SVRG's snapshot of a block, its mu
///   block     3  block first steps values state; arrays: values, state (piece by piece of a rule);
///                `first`: where it begins in the flat space of all dense tables, here and above
///   rows      4  partition keys tables, for each table the floats of a row; arrays: keys, and for
///                each table the rows with their state
///   former block 5  clock block values; array: values (previous_version.hpp)
///   former rows  6  clock keys floats; arrays: keys, floats
///
/// A chunk takes about chunk_bytes, unless a single row takes more.

#include "actors/mesh/frame.hpp"
#include "actors/rules.hpp"
#include "actors/server_shard/strategy.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

inline constexpr std::size_t chunk_bytes = 1u << 20;

/// The chunks of a shard, in the order in which they are taken in. At least one.
std::vector<mesh::frame_body> make_image(const parameters::parameter_store& store,
                                         const strategy_state& state, const rule_set& rules = {});

/// Takes in one chunk: parameters into the store, everything else into `state`. `bytes` begin at a
/// multiple of 8. Errors: `malformed_message`, or that it does not fit the store; then the store
/// may not be used.
result<void> load_chunk(std::span<const std::byte> bytes, parameters::parameter_store& store,
                        strategy_state& state);

// What a shard gives to a checkpoint lies in the same chunks, and may come back to shards that are
// cut otherwise.

/// A chunk of the moment at which it was frozen, put together when it is sent. Dense values are not
/// copied before: the blocks are copied on write. The state of their rules is, and so are rows.
class frozen_chunk {
public:
  frozen_chunk() = default;
  explicit frozen_chunk(mesh::frame_body made) : made_(std::move(made)) {}
  /// A block of the store.
  frozen_chunk(const parameters::parameter_store& store, std::size_t block);

  mesh::frame_body make() const;

private:
  mesh::frame_body made_; // without an owner: it is a block
  std::vector<std::uint64_t> fields_;
  parameters::shared_floats values_;
  std::vector<float> rule_state_;
};

/// The chunks of a shard that has applied a cut of the job and nothing else, so that nothing has to
/// be said of single pushes or of former versions.
std::vector<frozen_chunk> freeze_cut_image(const parameters::parameter_store& store,
                                           strategy_state state);

/// What a chunk is of; neither: of the strategy, which begins with its plan.
struct chunk_scope {
  std::uint32_t kind = 0;
  std::optional<std::uint32_t> partition; // rows
  parameters::element_range dense;        // a run of the flat dense space
};
/// Errors: `malformed_message` for what no cut image has.
result<chunk_scope> scope_of(std::span<const std::byte> bytes);

/// Takes in what is the store's own of a chunk of a cut image. Errors: as `load_chunk`.
result<void> restore_chunk(std::span<const std::byte> bytes, parameters::parameter_store& store,
                           strategy_state& state);

} // namespace gradmesh::server_shard
