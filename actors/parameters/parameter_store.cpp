#include "actors/parameters/parameter_store.hpp"

#include "actors/learning/initialize.hpp"
#include "actors/parameters/finite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

namespace gradmesh::parameters {

namespace {

/// Keys whose slots and rows are fetched together, so that the waits for memory overlap.
constexpr std::size_t batch_keys = 64;
/// After this much of a row the hardware has noticed the stream by itself.
constexpr std::size_t prefetch_floats_max = 256;
constexpr std::size_t cache_line_floats = 16;

void prefetch_row(const float* row, std::size_t floats) {
  const auto last = std::min(floats, prefetch_floats_max) - 1;
  for (std::size_t i = 0; i < last; i += cache_line_floats)
    __builtin_prefetch(row + i);
  __builtin_prefetch(row + last);
}

/// Adds one to the count of updates that is kept, as an integer, in the place of a float.
std::uint32_t count_update(float* place) {
  std::uint32_t count = 0;
  std::memcpy(&count, place, sizeof count);
  if (count != UINT32_MAX) ++count;
  std::memcpy(place, &count, sizeof count);
  return count;
}

error not_finite(std::string_view what, std::span<const float> values) {
  const auto at = first_not_finite(values);
  return {errc::invalid_argument,
          fmt::format("the gradient of {} {} of {} is {}; nothing was applied: lower the learning "
                      "rate or look for such values in the data",
                      what, at, values.size(), values[at])};
}

error wrong_size(std::string_view what, std::size_t have, std::size_t want) {
  return {errc::invalid_argument,
          fmt::format("{} {}, expected {}: worker and shard disagree about the job's tables or "
                      "partitions; submit the job again",
                      have, what, want)};
}

result<void> check_rate(float learning_rate) {
  if (std::isfinite(learning_rate)) return {};
  return {errc::invalid_argument,
          fmt::format("the learning rate is {}; use a finite number", learning_rate)};
}

} // namespace

parameter_store::parameter_store(std::vector<learning::table_spec> tables, partition_map map,
                                 std::uint32_t shard, std::unique_ptr<optimizer> rule,
                                 std::uint64_t seed)
    : tables_(std::move(tables)), layout_(tables_), map_(std::move(map)), shard_(shard),
      first_partition_(static_cast<std::uint32_t>(map_.partitions_of(shard).first)), seed_(seed),
      rule_(std::move(rule)), dense_(dense_range().size(), rule_->state_floats_per_parameter()) {
  for (std::size_t b = 0; b < dense_.count(); ++b)
    learning::fill_initial_dense(tables_, seed_, dense_range().first + dense_.range(b).first,
                                 dense_.initial_values(b));

  for (std::size_t t = 0; t < tables_.size(); ++t) {
    if (tables_[t].kind != learning::table_kind::sparse) continue;
    const auto row_floats = tables_[t].width * (1 + rule_->state_floats_per_parameter()) +
                            (rule_->counts_steps() ? 1 : 0);
    sparse_tables_.push_back(t);
    auto& partitions = sparse_.emplace_back();
    for (std::uint64_t p = 0; p < map_.partitions_of(shard).size(); ++p)
      partitions.emplace_back(static_cast<std::size_t>(row_floats));
  }
}

result<parameter_store> parameter_store::make(std::vector<learning::table_spec> tables,
                                              partition_map map, std::uint32_t shard,
                                              const optimizer_options& options,
                                              std::uint64_t seed) {
  if (auto ok = check_tables(tables); !ok) return ok.failure();
  if (learning::dense_size(tables) != map.dense_size())
    return {errc::invalid_argument,
            fmt::format("the tables have {} dense floats, but the partition map has {}",
                        learning::dense_size(tables), map.dense_size())};
  if (shard >= map.shards())
    return {
        errc::invalid_argument,
        fmt::format("there is no shard {}; the partition map has {} shards", shard, map.shards())};
  auto rule = make_optimizer(options);
  if (!rule) return rule.failure();
  return parameter_store(std::move(tables), std::move(map), shard, *std::move(rule), seed);
}

result<void> parameter_store::check_keys(std::span<const std::uint64_t> keys) const {
  const auto partitions = static_cast<std::uint32_t>(map_.partitions_of(shard_).size());
  const auto owned = [&](std::uint64_t key) {
    return map_.partition_of_key(key) - first_partition_ < partitions;
  };
  if (!keys.empty() && sparse_.empty())
    return wrong_size("keys for a model without sparse tables", keys.size(), 0);

  bool fault = !keys.empty() && !owned(keys[0]);
  for (std::size_t i = 1; i < keys.size(); ++i)
    fault |= keys[i] <= keys[i - 1] || !owned(keys[i]);
  if (!fault) return {};

  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && keys[i] <= keys[i - 1])
      return {errc::invalid_argument,
              fmt::format("key {} at position {} does not lie above its predecessor {}; keys must "
                          "be strictly ascending",
                          keys[i], i, keys[i - 1])};
    if (!owned(keys[i]))
      return {errc::invalid_argument,
              fmt::format("key {} at position {} belongs to partition {} of shard {}, but this is "
                          "shard {}; fetch the current view and send it there",
                          keys[i], i, map_.partition_of_key(keys[i]), map_.owner_of_key(keys[i]),
                          shard_)};
  }
  return {};
}

result<void> parameter_store::read(bool dense, std::span<const std::uint64_t> keys,
                                   std::span<float> out) const {
  if (auto ok = check_keys(keys); !ok) return ok;
  if (out.size() != body_floats(dense, keys.size()))
    return wrong_size("floats to read into", out.size(), body_floats(dense, keys.size()));

  const auto dense_floats = dense ? dense_.size() : 0;
  dense_.copy(0, out.first(dense_floats));
  float* to = out.data() + dense_floats;
  for (std::size_t s = 0; s < sparse_.size(); ++s) {
    read_rows(s, keys, to);
    to += keys.size() * layout_.row_widths()[s];
  }
  return {};
}

void parameter_store::fill_initial(std::size_t sparse_index, std::uint64_t key, float* row) const {
  const auto index = sparse_tables_[sparse_index];
  const auto& table = tables_[index];
  learning::fill_initial_row(table, seed_, index, key, {row, layout_.row_widths()[sparse_index]});
}

void parameter_store::read_rows(std::size_t sparse_index, std::span<const std::uint64_t> keys,
                                float* out) const {
  const auto width = layout_.row_widths()[sparse_index];
  std::array<std::uint64_t, batch_keys> hashes;
  std::array<const float*, batch_keys> rows;
  for (std::size_t first = 0; first < keys.size(); first += batch_keys) {
    const auto batch = keys.subspan(first, std::min(batch_keys, keys.size() - first));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      hashes[i] = mix(batch[i]);
      table_of(sparse_index, hashes[i]).prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      rows[i] = table_of(sparse_index, hashes[i]).find(batch[i], hashes[i]);
      if (rows[i]) prefetch_row(rows[i], width);
    }
    for (std::size_t i = 0; i < batch.size(); ++i, out += width) {
      if (rows[i])
        std::copy_n(rows[i], width, out);
      else
        fill_initial(sparse_index, batch[i], out);
    }
  }
}

result<void> parameter_store::check(const gradient& change) const {
  const auto dense_floats = change.has_dense ? dense_.size() : 0;
  if (change.dense.size() != dense_floats)
    return wrong_size("dense gradients", change.dense.size(), dense_floats);
  if (auto ok = check_keys(change.keys); !ok) return ok;
  const auto row_floats = layout_.body_floats(0, change.keys.size());
  if (change.rows.size() != row_floats)
    return wrong_size("gradients of sparse rows", change.rows.size(), row_floats);
  if (!all_finite(change.dense)) return not_finite("dense parameter", change.dense);
  if (!all_finite(change.rows)) return not_finite("sparse row element", change.rows);
  if (sparse_keys_ + change.keys.size() > sparse_table::rows_max)
    return {errc::limit_exceeded,
            fmt::format("the shard has {} keys and {} more could make it more than {}; train with "
                        "more shards",
                        sparse_keys_, change.keys.size(), sparse_table::rows_max)};
  return {};
}

result<void> parameter_store::check_dense(std::size_t block,
                                          std::span<const float> gradient) const {
  if (block >= dense_.count())
    return {errc::invalid_argument,
            fmt::format("there is no dense block {}; shard {} has {}: worker and shard disagree "
                        "about the job's tables; submit the job again",
                        block, shard_, dense_.count())};
  const auto range = dense_.range(block);
  if (gradient.size() != range.size())
    return wrong_size(fmt::format("gradients for dense block {}", block), gradient.size(),
                      range.size());
  if (!all_finite(gradient))
    return not_finite(fmt::format("dense block {}, element", block), gradient);
  return {};
}

result<void> parameter_store::apply_dense(std::size_t block, std::span<const float> gradient,
                                          float learning_rate) {
  if (auto ok = check_rate(learning_rate); !ok) return ok;
  if (auto ok = check_dense(block, gradient); !ok) return ok;
  dense_.update(block, gradient, *rule_, learning_rate);
  return {};
}

result<void> parameter_store::apply(const gradient& change, float learning_rate) {
  if (auto ok = check_rate(learning_rate); !ok) return ok;
  if (auto ok = check(change); !ok) return ok;

  for (std::size_t b = 0; change.has_dense && b < dense_.count(); ++b)
    dense_.update(b, change.dense.subspan(dense_.range(b).first, dense_.range(b).size()), *rule_,
                  learning_rate);
  const float* rows = change.rows.data();
  for (std::size_t s = 0; s < sparse_.size(); ++s) {
    update_rows(s, change.keys, rows, learning_rate);
    rows += change.keys.size() * layout_.row_widths()[s];
  }
  return {};
}

float* parameter_store::create_row(std::size_t sparse_index, std::uint64_t key,
                                   std::uint64_t hash) {
  const auto width = layout_.row_widths()[sparse_index];
  auto& table = table_of(sparse_index, hash);
  float* row = table.create(key, hash);
  fill_initial(sparse_index, key, row);
  std::fill(row + width, row + table.row_floats(), 0.0F);
  if (sparse_index == 0) ++sparse_keys_;
  return row;
}

void parameter_store::update_rows(std::size_t sparse_index, std::span<const std::uint64_t> keys,
                                  const float* rows, float learning_rate) {
  const auto width = layout_.row_widths()[sparse_index];
  const auto state_floats = width * rule_->state_floats_per_parameter();
  const auto counts = rule_->counts_steps();
  std::array<std::uint64_t, batch_keys> hashes;
  std::array<float*, batch_keys> found;
  for (std::size_t first = 0; first < keys.size(); first += batch_keys) {
    const auto batch = keys.subspan(first, std::min(batch_keys, keys.size() - first));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      hashes[i] = mix(batch[i]);
      table_of(sparse_index, hashes[i]).prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      found[i] = table_of(sparse_index, hashes[i]).find(batch[i], hashes[i]);
      if (found[i]) prefetch_row(found[i], width + state_floats);
    }
    for (std::size_t i = 0; i < batch.size(); ++i, rows += width) {
      float* row = found[i] ? found[i] : create_row(sparse_index, batch[i], hashes[i]);
      const auto step = counts ? count_update(row + width + state_floats) : 0;
      rule_->update({row, width}, {row, width}, {rows, width}, {row + width, state_floats},
                    learning_rate, step);
    }
  }
}

result<partition_content> parameter_store::export_partition(std::uint32_t partition) const {
  if (partition >= map_.partitions() || map_.owner(partition) != shard_)
    return {errc::invalid_argument,
            fmt::format("partition {} is not one of shard {}, which has the partitions from {} to "
                        "below {}",
                        partition, shard_, map_.partitions_of(shard_).first,
                        map_.partitions_of(shard_).last)};
  const auto range = map_.dense_of_partition(partition);
  partition_content content;
  content.partition = partition;
  content.dense_first = range.first;
  content.dense.resize(range.size());
  dense_.copy(range.first - dense_range().first, content.dense);
  for (std::size_t s = 0; s < sparse_.size(); ++s) {
    const auto width = layout_.row_widths()[s];
    const auto entries = sparse_[s][partition - first_partition_].sorted_entries();
    auto& out = content.sparse.emplace_back();
    out.keys.reserve(entries.size());
    out.rows.reserve(entries.size() * width);
    for (const auto& entry : entries) {
      out.keys.push_back(entry.key);
      out.rows.insert(out.rows.end(), entry.row, entry.row + width);
    }
  }
  return content;
}

} // namespace gradmesh::parameters
