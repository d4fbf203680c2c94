#pragma once

/// The dense parameters of a shard, in blocks that are copied on write: a block can be handed out
/// for sending without a copy, and an update to a block that somebody still holds goes into other
/// memory.
///
/// Used by one thread at a time. What `share` gives out may be read and dropped by any thread, also
/// when the blocks are gone: each hold is counted in its block, dropped with release order when the
/// holder is done reading, and looked for with acquire order before the block is written again.
///
/// Memory: the values, their optimizer state, at most `spare_blocks_max` blocks that held values
/// before, and whatever else of former values is still held. Blocks lie eight in a huge page, which
/// goes when nobody needs any of them.

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

class dense_blocks {
public:
  /// Former blocks that are kept for the next copies, so that a steady stream of updates to held
  /// blocks allocates nothing.
  static constexpr std::size_t spare_blocks_max = 128;

  /// `size` zeros, and zeros as state.
  dense_blocks(std::size_t size, std::size_t state_floats_per_parameter);

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
  void update(std::size_t block, std::span<const float> gradient, const optimizer& rule,
              float learning_rate);

private:
  struct buffer;
  struct hold;
  struct current {
    std::shared_ptr<buffer> values;
    std::uint64_t steps = 0;
  };
  static bool is_held(const buffer& values);
  std::shared_ptr<buffer> make_buffer();
  std::shared_ptr<buffer> take_spare();
  void keep_spare(std::shared_ptr<buffer> former);

  std::size_t size_;
  std::shared_ptr<zeroed_memory> slab_; // where the next buffer lies
  std::size_t slab_left_ = 0;           // buffers
  std::vector<current> blocks_;
  std::vector<std::shared_ptr<buffer>> spares_; // held or not, the oldest first
  std::size_t state_floats_per_parameter_;
  zeroed_memory state_; // block by block, as `optimizer::update` wants it
};

} // namespace gradmesh::parameters
