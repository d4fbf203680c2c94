#pragma once

/// The sparse tables of one shard: one index for all of them, since a key has a row in every table
/// or in none, and for each an arena of rows. A row is the values, their optimizer state, and the
/// count of updates where the rule counts steps.
///
/// Used by one thread at a time. Sizes, finite values and `key_index::rows_max` are the caller's
/// duty; keys are checked here.

#include "actors/error.hpp"
#include "actors/learning/table.hpp"
#include "actors/parameters/key_index.hpp"
#include "actors/parameters/key_rows.hpp"
#include "actors/parameters/optimizer.hpp"
#include "actors/parameters/partition_content.hpp"
#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/row_arena.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class sparse_parameters {
public:
  /// `tables` are all tables of the model and have passed `check_tables`; `rules` are theirs, and
  /// live longer than this.
  sparse_parameters(std::span<const learning::table_spec> tables, const partition_map& map,
                    std::uint32_t shard, std::span<const optimizer* const> rules,
                    std::uint64_t seed, instruction_set set = best_instruction_set());

  /// Keys that have rows.
  std::uint64_t keys() const { return index_.size(); }

  /// Checks and looks up keys; makes no rows. `errc::invalid_argument` if they are not strictly
  /// ascending or not this shard's, or there is no sparse table.
  result<key_rows> resolve(std::span<const std::uint64_t> keys) const;

  /// For each table in declaration order keys x width values, row-major.
  void read(const key_rows& keys, std::span<float> out) const;

  /// Updates rows by gradients that are laid out like `read`'s values; makes those that are absent.
  void apply(key_rows& keys, std::span<const float> gradients, float learning_rate);

  /// The rows of one partition of this shard, by table, in key order.
  std::vector<table_rows> export_partition(std::uint32_t partition) const;

  /// Floats of a row of each table, with its state.
  std::vector<std::size_t> stored_widths() const;
  /// The keys of one partition of this shard in order, and of each table their rows with their
  /// state.
  std::vector<std::uint64_t> keys_of(std::uint32_t partition) const;
  void save(const key_rows& keys, std::vector<std::vector<float>>& rows) const;
  /// Makes the rows of these keys what they were; each table's have its stored width.
  void restore(key_rows& keys, std::span<const std::span<const float>> rows);

private:
  struct table {
    learning::table_spec spec;
    std::size_t index = 0; // among all tables of the model
    std::size_t width = 0;
    const optimizer* rule = nullptr;
    row_arena rows;
  };
  error explain(std::span<const std::uint64_t> keys) const;
  void fill_initial(const table& of, std::uint64_t hash, float* row) const;
  void read_table(const table& from, const key_rows& keys, float* out) const;
  void make_rows(key_rows& keys);

  partition_map map_;
  std::uint32_t shard_;
  std::uint64_t seed_;
  instruction_set set_;
  hash_range own_; // of a shard that owns partitions
  bool owns_some_;
  key_index index_;
  std::vector<table> tables_;
};

} // namespace gradmesh::parameters
