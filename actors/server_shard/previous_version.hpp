#pragma once

/// The parameters of a shard as they were before the step that it applied last. When shards have
/// gone on to different steps and the workers are others (a new generation), the workers begin with
/// the step of the slowest shard; a shard that has applied it already lets them read what was
/// before it, and the bits are those of a run in which nothing happened.
///
/// Memory: blocks share theirs with the parameters until these change; of rows, the values of those
/// that the step touched.

#include "actors/parameters/dense_blocks.hpp"
#include "actors/parameters/parameter_store.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

class previous_version {
public:
  /// Updates that it has seen; nothing: it is not there.
  const std::optional<std::uint64_t>& clock() const { return clock_; }

  /// Forgets what it had and begins with what is there now.
  void begin(std::uint64_t clock);
  void forget() { *this = {}; }

  /// A block, or the rows of some keys, before they change.
  void keep(std::uint32_t block, parameters::shared_floats values) {
    blocks_[block] = std::move(values);
  }
  result<void> keep(std::span<const std::uint64_t> keys, const parameters::parameter_store& store);
  void keep(std::vector<std::uint64_t> keys, std::vector<float> rows);

  /// A block as it was; null: as it is.
  const parameters::shared_floats* block(std::uint32_t block) const;
  /// Writes rows of the keys that have changed over what was read of them; layout as `read_sparse`.
  void restore(std::span<const std::uint64_t> keys, std::span<float> rows,
               const std::vector<std::size_t>& widths) const;

  const std::map<std::uint32_t, parameters::shared_floats>& blocks() const { return blocks_; }
  const std::vector<std::uint64_t>& keys() const { return keys_; }
  const std::vector<float>& rows() const { return rows_; }

private:
  std::optional<std::uint64_t> clock_;
  std::map<std::uint32_t, parameters::shared_floats> blocks_; // that the step changed
  std::vector<std::uint64_t> keys_;                           // ascending
  std::vector<float> rows_;                                   // as `read_sparse` writes them
};

} // namespace gradmesh::server_shard
