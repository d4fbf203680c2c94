#pragma once

/// The parameters that one server shard owns: reads for pulls, updates for pushes, export for
/// saving the model. Used by one thread at a time (its shard actor).
///
/// Dense parameters exist from the start, in blocks that are copied on write: see dense_blocks.hpp.
/// What peers send of them is checked and applied block by block.
///
/// A sparse row comes into being with its first update;
/// until then a read gives its initial value and keeps nothing, so that reading never costs memory.
///
/// What a peer sends is checked before anything is changed: a refused `apply` has no effect.

#include "actors/error.hpp"
#include "actors/learning/table.hpp"
#include "actors/parameters/body_layout.hpp"
#include "actors/parameters/dense_blocks.hpp"
#include "actors/parameters/partition_content.hpp"
#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/rule_registry.hpp"
#include "actors/parameters/sparse_parameters.hpp"
#include "actors/parameters/table_rules.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class parameter_store {
public:
  /// Holds the initial values of all dense parameters of `shard`. `errc::invalid_argument` for
  /// tables outside the limits, a map of another dense size, a shard that the map does not have,
  /// and what `table_rules::make` refuses.
  static result<parameter_store> make(const std::vector<learning::table_spec>& tables,
                                      partition_map map, std::uint32_t shard,
                                      const optimizer_options& options, std::uint64_t seed,
                                      const rule_registry& registry = {});

  const body_layout& layout() const { return layout_; }
  const partition_map& map() const { return map_; }
  /// This shard's part of the flat dense space.
  element_range dense_range() const { return map_.dense_of_shard(shard_); }
  std::size_t dense_size() const { return dense_.size(); }

  /// The blocks that `dense_range` is cut into, and the elements of one of them, counted from the
  /// beginning of `dense_range`.
  std::size_t dense_blocks() const { return dense_.count(); }
  element_range dense_block_range(std::size_t block) const { return dense_.range(block); }

  /// The values of a block as they are now; a later update does not change them.
  shared_floats dense_block(std::size_t block) const { return dense_.share(block); }

  /// Whether `apply_dense` would take the gradient of this block; see there.
  result<void> check_dense(std::size_t block, std::span<const float> gradient) const;

  /// Updates a block. Each block counts its own steps. `errc::invalid_argument` if there is no such
  /// block, its size is another, or a value or the learning rate is not finite; then nothing has
  /// changed.
  result<void> apply_dense(std::size_t block, std::span<const float> gradient, float learning_rate);

  /// Keys that have rows; all sparse tables have the same ones.
  std::uint64_t sparse_keys() const { return sparse_.keys(); }

  /// Checks keys and looks them up, for the three functions below. `errc::invalid_argument` if keys
  /// are not strictly ascending or not this shard's.
  result<key_rows> resolve(std::span<const std::uint64_t> keys) const {
    return sparse_.resolve(keys);
  }

  /// Writes the rows of these keys: for each sparse table in declaration order keys x width.
  /// `errc::invalid_argument` if `out` has another size.
  result<void> read_sparse(const key_rows& keys, std::span<float> out) const;

  /// Whether `apply_sparse` would take the gradients; see there.
  result<void> check_sparse(const key_rows& keys, std::span<const float> gradients) const;

  /// Updates the rows of these keys by gradients that are laid out as `read_sparse` writes them.
  /// `errc::invalid_argument` if their size is another, or a value or the learning rate is not
  /// finite, `errc::limit_exceeded` if the shard could come to more than `key_index::rows_max`
  /// keys; then nothing has changed.
  result<void> apply_sparse(key_rows& keys, std::span<const float> gradients, float learning_rate);

  /// Floats in the rows of so many keys, all sparse tables together.
  std::size_t row_floats(std::size_t keys) const { return layout_.body_floats(0, keys); }

  /// The values of one partition. `errc::invalid_argument` if it is not this shard's.
  result<partition_content> export_partition(std::uint32_t partition) const;

  // What a copy of the shard is made from: everything, with the state of the update rules.

  element_range partitions() const { return map_.partitions_of(shard_); }
  std::uint64_t dense_steps(std::size_t block) const { return dense_.steps(block); }
  std::size_t dense_state_floats(std::size_t block) const { return dense_.state_floats(block); }
  std::vector<float> dense_state(std::size_t block) const { return dense_.state(block); }
  /// Floats that a row of each sparse table takes with its state.
  std::vector<std::size_t> stored_widths() const { return sparse_.stored_widths(); }
  /// Keys of a partition of this shard that have rows, ascending.
  std::vector<std::uint64_t> keys_of(std::uint32_t partition) const {
    return sparse_.keys_of(partition);
  }
  /// The rows of keys that have some, by table.
  result<void> save_rows(std::span<const std::uint64_t> keys,
                         std::vector<std::vector<float>>& rows) const;
  /// Makes a block, or the rows of some keys, what another copy of this shard had.
  /// `errc::invalid_argument` if it does not fit this shard; then nothing has changed.
  result<void> restore_dense(std::size_t block, std::uint64_t steps, std::span<const float> values,
                             std::span<const float> state);
  /// The same for a block whose rule keeps no state, without a copy: the shard holds the values.
  result<void> adopt_dense(std::size_t block, std::uint64_t steps, shared_floats values);
  /// Takes in what is this shard's own of a run of the flat dense space that begins with element
  /// `first` and was a block of some shard; the same errors.
  result<void> restore_dense_run(std::uint64_t first, std::uint64_t steps,
                                 std::span<const float> values, std::span<const float> state);
  result<void> restore_rows(std::span<const std::uint64_t> keys,
                            std::span<const std::span<const float>> rows);

private:
  parameter_store(std::span<const learning::table_spec> tables, partition_map map,
                  std::uint32_t shard, table_rules rules, std::uint64_t seed);
  error does_not_fit(std::size_t block, std::size_t values, std::size_t state) const;

  std::vector<learning::table_spec> tables_;
  body_layout layout_;
  partition_map map_;
  std::uint32_t shard_;
  table_rules rules_;
  parameters::dense_blocks dense_;
  sparse_parameters sparse_;
};

} // namespace gradmesh::parameters
