#pragma once

/// A store's parameters as a whole, for tests that do not care for blocks and key lists.

#include "actors/parameters/parameter_store.hpp"

#include <algorithm>

namespace gradmesh::testing {

/// The dense parameters if they are asked for, then the rows of the keys.
inline result<void> read(const parameters::parameter_store& store, bool dense,
                         std::span<const std::uint64_t> keys, std::span<float> out) {
  for (std::size_t block = 0; dense && block < store.dense_blocks(); ++block) {
    const auto values = store.dense_block(block).values;
    if (out.size() < values.size()) return {errc::invalid_argument, "too short"};
    std::ranges::copy(values, out.begin());
    out = out.subspan(values.size());
  }
  const auto rows = store.resolve(keys);
  return rows ? store.read_sparse(*rows, out) : rows.failure();
}

/// Checks all of the gradient, then applies it.
inline result<void> apply(parameters::parameter_store& store, const parameters::gradient& change,
                          float learning_rate) {
  const auto block_of = [&](std::size_t block) {
    const auto range = store.dense_block_range(block);
    return range.last <= change.dense.size() ? change.dense.subspan(range.first, range.size())
                                             : std::span<const float>();
  };
  const auto blocks = change.has_dense ? store.dense_blocks() : 0;
  for (std::size_t block = 0; block < blocks; ++block)
    if (auto ok = store.check_dense(block, block_of(block)); !ok) return ok;
  auto rows = store.resolve(change.keys);
  if (!rows) return rows.failure();
  if (auto ok = store.apply_sparse(*rows, change.rows, learning_rate); !ok) return ok;
  for (std::size_t block = 0; block < blocks; ++block)
    if (auto ok = store.apply_dense(block, block_of(block), learning_rate); !ok) return ok;
  return {};
}

} // namespace gradmesh::testing
