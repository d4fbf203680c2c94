#pragma once

/// The parameters of a job on one shard, as its messages name them: blocks of the dense range, and
/// runs of keys, which a worker may name by their hash once it has sent them.

#include "actors/parameters/key_cache.hpp"
#include "actors/parameters/parameter_store.hpp"
#include "actors/server_shard/parameter_request.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

class shard_parameters {
public:
  shard_parameters(parameters::parameter_store store, std::size_t workers);

  parameters::parameter_store& store() { return store_; }
  const parameters::parameter_store& store() const { return store_; }

  /// The workers are others: nothing that they named is known.
  void change_workers(std::size_t workers);

  /// From now on a key list that is known by its name is kept with its keys: `keys_of` is needed.
  void keep_keys(bool keep) { keeps_keys_ = keep; }
  /// The keys of a run that was applied just now. Valid until the next call.
  std::span<const std::uint64_t> keys_of(std::uint32_t rank, const requested_part& what);

  /// Whether `apply` would take the part of a worker. Errors: `unknown_keys`, and those of
  /// parameter_store.
  result<void> check(std::uint32_t rank, const requested_part& what, std::span<const float> values);
  /// Updates the parameters by one part.
  result<void> apply(std::uint32_t rank, const requested_part& what, std::span<const float> values,
                     float rate);
  /// What a part of a pull reads: rows as a view until the next call, a block for good.
  result<parameters::shared_floats> values_of(std::uint32_t rank, const requested_part& part);
  /// The rows that `values_of` read last.
  std::span<float> looked_at() { return row_values_; }

private:
  /// The rows of a run; valid until the next call.
  result<parameters::key_rows*> rows_of(std::uint32_t rank, const requested_part& what);
  /// The same for a push, whose keys may have to be known.
  result<parameters::key_rows*> rows_of_push(std::uint32_t rank, const requested_part& what);

  parameters::parameter_store store_;
  std::vector<parameters::key_cache> known_keys_; // by rank
  bool keeps_keys_ = false;
  parameters::key_rows looked_up_;
  std::vector<float> row_values_; // of a run that is being sent
};

} // namespace gradmesh::server_shard
