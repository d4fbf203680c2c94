#pragma once

/// The dense parameters of a shard, in blocks that are copied on write: a block can be handed out
/// for sending without a copy, and an update to a block that somebody still holds goes into other
/// memory. So does one to a block that was taken over from somebody else (`adopt`).
///
/// Used by one thread at a time. What `share` gives out may be read and dropped by any thread, also
/// when the blocks are gone: each hold is counted in its block, dropped with release order when the
/// holder is done reading, and looked for with acquire order before the block is written again.
///
/// Memory: the values (those of adopted blocks where they came), their optimizer state, at most as
/// many blocks (or `spare_blocks_max`) that held values before, and whatever else of former values
/// is still held. Blocks lie eight in a huge page, which goes when nobody needs any of them.

#include "actors/parameters/optimizer.hpp"
#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/zeroed_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradmesh::parameters {

/// 256 KiB: a gradient that has just come and the values that it changes stay in a processor's own
/// cache together.
inline constexpr std::size_t dense_block_floats = 65'536;

/// Floats that do not change, and whoever keeps them alive. 64-byte aligned.
struct shared_floats {
  std::shared_ptr<const void> owner;
  std::span<const float> values;
};

/// A run of dense parameters and the rule that updates them.
struct dense_segment {
  element_range range;
  const optimizer* rule = nullptr;
};

class dense_blocks {
public:
  /// Former blocks that are kept for the next copies, so that a steady stream of updates to held
  /// blocks allocates nothing; as many as there are blocks, if that is more.
  static constexpr std::size_t spare_blocks_max = 128;

  /// Zeros, and zeros as state, for a part of the flat space of all dense tables. `segments` lie
  /// side by side in it, in order, and cover it; their rules live longer than this.
  dense_blocks(element_range part, std::span<const dense_segment> segments);
  /// One rule for a whole space of this size.
  dense_blocks(std::size_t size, const optimizer& rule);

  std::size_t size() const { return size_; }
  /// All blocks have `dense_block_floats`, but the last, which has the rest.
  std::size_t count() const { return blocks_.size(); }
  element_range range(std::size_t block) const;

  std::span<const float> values(std::size_t block) const;
  /// For setting the first values; nobody may hold the block.
  std::span<float> initial_values(std::size_t block);

  /// Copies the values from element `first` on, whatever blocks they lie in.
  void copy(std::size_t first, std::span<float> out) const;

  /// The values of now, which stay as they are for as long as they are held.
  shared_floats share(std::size_t block) const;

  /// Updates a block by its gradient, which has its size and is finite.
  void update(std::size_t block, std::span<const float> gradient, float learning_rate);

  /// Updates that a block has seen, and the state of its rules: what `values` does not say of it.
  std::uint64_t steps(std::size_t block) const { return blocks_[block].steps; }
  std::size_t state_floats(std::size_t block) const;
  std::vector<float> state(std::size_t block) const;
  /// Makes a block what another was. False: values or state have another size; then nothing
  /// changes.
  bool restore(std::size_t block, std::uint64_t steps, std::span<const float> values,
               std::span<const float> state);
  /// The same for a block whose rules have no state, without a copy: the values stay where they are
  /// and are held by the block until it changes.
  bool adopt(std::size_t block, std::uint64_t steps, shared_floats values);
  /// Takes in what is this part's own of a run of the flat space, which may be cut into blocks
  /// otherwise: from element `first` on, with the state that `segments`, which are the run's, have.
  /// Blocks that it meets have seen `steps` updates. False: the state has another size; then
  /// nothing changes.
  bool restore_run(std::uint64_t first, std::uint64_t steps, std::span<const float> values,
                   std::span<const float> state, std::span<const dense_segment> segments);

private:
  struct buffer;
  struct hold;
  /// What one rule updates of a block; `first` is counted in the block.
  struct ruled_piece {
    std::size_t first = 0;
    std::size_t size = 0;
    const optimizer* rule = nullptr;
    std::span<float> state; // as `optimizer::update` wants it
  };
  struct current {
    std::shared_ptr<buffer> values;
    std::uint64_t steps = 0;
    std::vector<ruled_piece> pieces;
  };
  void cut(std::span<const dense_segment> segments);
  void make_unheld(std::size_t block);
  void restore_state(std::size_t block, std::span<const float> state,
                     std::span<const dense_segment> segments);
  static bool is_held(const buffer& values);
  std::shared_ptr<buffer> make_buffer();
  std::shared_ptr<buffer> take_spare();
  void keep_spare(std::shared_ptr<buffer> former);

  std::uint64_t position_; // of the first element in the flat space
  std::size_t size_;
  std::shared_ptr<zeroed_memory> slab_; // where the next buffer lies
  std::size_t slab_left_ = 0;           // buffers
  std::vector<current> blocks_;
  std::vector<std::shared_ptr<buffer>> spares_; // held or not, the oldest first
  zeroed_memory state_;                         // piece by piece
};

} // namespace gradmesh::parameters
