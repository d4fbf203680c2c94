#include "actors/server_shard/shard_parameters.hpp"

#include <string>

namespace gradmesh::server_shard {
namespace {

/// Key lists that are remembered for each worker.
constexpr std::size_t known_lists_max = 64;
constexpr std::size_t known_bytes_max = 64u << 20;

} // namespace

shard_parameters::shard_parameters(parameters::parameter_store store, std::size_t workers)
    : store_(std::move(store)) {
  change_workers(workers);
}

void shard_parameters::change_workers(std::size_t workers) {
  known_keys_.assign(workers, {known_lists_max, known_bytes_max});
}

result<parameters::key_rows*> shard_parameters::rows_of(std::uint32_t rank,
                                                        const requested_part& what) {
  auto& known = known_keys_[rank];
  if (!what.has_keys) {
    if (auto* rows = known.find(what.name)) return rows;
    return error{errc::unknown_keys,
                 "a list of " + std::to_string(what.name.count) +
                     " keys is not known by its hash (any more); send the keys"};
  }
  auto rows = store_.resolve(what.keys);
  if (!rows) return rows.failure();
  // A worker that gives the hash may leave out the keys next time. What it says is not believed.
  if (what.name.hash != 0) {
    const auto name = parameters::name_of(what.keys);
    if (keeps_keys_) rows->remember(what.keys);
    known.keep(name, *std::move(rows));
    if (auto* kept = known.find(name)) return kept;
    rows = store_.resolve(what.keys); // too long to be kept
    if (!rows) return rows.failure();
  }
  looked_up_ = *std::move(rows);
  return &looked_up_;
}

result<parameters::key_rows*> shard_parameters::rows_of_push(std::uint32_t rank,
                                                             const requested_part& what) {
  auto rows = rows_of(rank, what);
  if (rows && keeps_keys_ && !what.has_keys && (*rows)->keys().size() != (*rows)->size())
    return error{errc::unknown_keys, "a list of " + std::to_string(what.name.count) +
                                         " keys was named before the shard had a backup, which "
                                         "needs the keys; send them"};
  return rows;
}

std::span<const std::uint64_t> shard_parameters::keys_of(std::uint32_t rank,
                                                         const requested_part& what) {
  if (what.has_keys) return what.keys;
  const auto* rows = known_keys_[rank].find(what.name);
  return rows ? rows->keys() : std::span<const std::uint64_t>();
}

result<void> shard_parameters::check(std::uint32_t rank, const requested_part& what,
                                     std::span<const float> values) {
  if (what.dense) return store_.check_dense(what.block, values);
  const auto rows = rows_of_push(rank, what);
  return rows ? store_.check_sparse(**rows, values) : rows.failure();
}

result<void> shard_parameters::apply(std::uint32_t rank, const requested_part& what,
                                     std::span<const float> values, float rate) {
  if (what.dense) return store_.apply_dense(what.block, values, rate);
  const auto rows = rows_of_push(rank, what);
  return rows ? store_.apply_sparse(**rows, values, rate) : rows.failure();
}

result<parameters::shared_floats> shard_parameters::values_of(std::uint32_t rank,
                                                              const requested_part& part) {
  if (part.dense) return store_.dense_block(part.block);
  const auto rows = rows_of(rank, part);
  if (!rows) return rows.failure();
  const auto floats = store_.row_floats((*rows)->size());
  if (floats > mesh::body_bytes_max / sizeof(float))
    return error{errc::limit_exceeded,
                 "a run of " + std::to_string((*rows)->size()) + " keys is too long for one frame"};
  row_values_.resize(floats);
  if (auto read = store_.read_sparse(**rows, row_values_); !read) return read.failure();
  return parameters::shared_floats{nullptr, row_values_};
}

} // namespace gradmesh::server_shard
