#include "actors/parameters/parameter_store.hpp"

#include "actors/learning/initialize.hpp"
#include "actors/parameters/finite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace gradmesh::parameters {

namespace {

error not_finite(std::string_view place, float value) {
  return {errc::invalid_argument,
          fmt::format("the gradient of {} is {}; nothing was applied: lower the learning rate or "
                      "look for such values in the data",
                      place, value)};
}

/// Which element of which table stands at a place of the flat dense space.
std::string dense_place(std::span<const learning::table_spec> tables, std::uint64_t at) {
  for (const auto& table : tables) {
    if (table.kind != learning::table_kind::dense) continue;
    if (at < table.width) return fmt::format("table '{}', element {}", table.name, at);
    at -= table.width;
  }
  return "no table";
}

/// The same for the rows of `keys` keys, one sparse table after the other.
std::string sparse_place(std::span<const learning::table_spec> tables, std::size_t keys,
                         std::size_t at) {
  for (const auto& table : tables) {
    if (table.kind != learning::table_kind::sparse) continue;
    if (at < keys * table.width)
      return fmt::format("table '{}', the row of key {} of the {} that were pushed, element {}",
                         table.name, at / table.width, keys, at % table.width);
    at -= keys * table.width;
  }
  return "no table";
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

/// The parts of the dense tables that lie in `part`, with their rules; one part for neighbours with
/// the same rule, so that one rule for all takes one loop over each block.
std::vector<dense_segment> dense_segments(std::span<const learning::table_spec> tables,
                                          std::span<const optimizer* const> rules,
                                          element_range part) {
  std::vector<dense_segment> segments;
  std::uint64_t at = 0;
  for (std::size_t t = 0; t < tables.size(); ++t) {
    if (tables[t].kind != learning::table_kind::dense) continue;
    const element_range table{std::max(at, part.first), std::min(at + tables[t].width, part.last)};
    at += tables[t].width;
    if (table.first >= table.last) continue;
    if (!segments.empty() && segments.back().rule == rules[t])
      segments.back().range.last = table.last;
    else
      segments.push_back({table, rules[t]});
  }
  return segments;
}

} // namespace

parameter_store::parameter_store(std::span<const learning::table_spec> tables, partition_map map,
                                 std::uint32_t shard, table_rules rules, std::uint64_t seed)
    : tables_(tables.begin(), tables.end()), layout_(tables), map_(std::move(map)), shard_(shard),
      rules_(std::move(rules)),
      dense_(dense_range(), dense_segments(tables, rules_.by_table(), dense_range())),
      sparse_(tables, map_, shard, rules_.by_table(), seed) {
  for (std::size_t b = 0; b < dense_.count(); ++b)
    learning::fill_initial_dense({tables.begin(), tables.end()}, seed,
                                 dense_range().first + dense_.range(b).first,
                                 dense_.initial_values(b));
}

result<parameter_store> parameter_store::make(const std::vector<learning::table_spec>& tables,
                                              partition_map map, std::uint32_t shard,
                                              const optimizer_options& options, std::uint64_t seed,
                                              const rule_registry& registry) {
  if (auto ok = check_tables(tables); !ok) return ok.failure();
  if (learning::dense_size(tables) != map.dense_size())
    return {errc::invalid_argument,
            fmt::format("the tables have {} dense floats, but the partition map has {}",
                        learning::dense_size(tables), map.dense_size())};
  if (shard >= map.shards())
    return {
        errc::invalid_argument,
        fmt::format("there is no shard {}; the partition map has {} shards", shard, map.shards())};
  auto rules = table_rules::make(tables, options, registry);
  if (!rules) return rules.failure();
  return parameter_store(tables, std::move(map), shard, *std::move(rules), seed);
}

result<void> parameter_store::read_sparse(const key_rows& keys, std::span<float> out) const {
  if (out.size() != row_floats(keys.size()))
    return wrong_size("floats to read sparse rows into", out.size(), row_floats(keys.size()));
  sparse_.read(keys, out);
  return {};
}

result<void> parameter_store::check_sparse(const key_rows& keys,
                                           std::span<const float> gradients) const {
  const auto wanted = row_floats(keys.size());
  if (gradients.size() != wanted)
    return wrong_size("gradients of sparse rows", gradients.size(), wanted);
  if (!all_finite(gradients)) {
    const auto at = first_not_finite(gradients);
    return not_finite(sparse_place(tables_, keys.size(), at), gradients[at]);
  }
  if (sparse_keys() + keys.absent() > key_index::rows_max)
    return {errc::limit_exceeded,
            fmt::format("the shard has {} keys and {} more could make it more than {}; train with "
                        "more shards",
                        sparse_keys(), keys.absent(), key_index::rows_max)};
  return {};
}

result<void> parameter_store::apply_sparse(key_rows& keys, std::span<const float> gradients,
                                           float learning_rate) {
  if (auto ok = check_rate(learning_rate); !ok) return ok;
  if (auto ok = check_sparse(keys, gradients); !ok) return ok;
  sparse_.apply(keys, gradients, learning_rate);
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
  if (!all_finite(gradient)) {
    const auto at = first_not_finite(gradient);
    return not_finite(dense_place(tables_, dense_range().first + range.first + at), gradient[at]);
  }
  return {};
}

result<void> parameter_store::apply_dense(std::size_t block, std::span<const float> gradient,
                                          float learning_rate) {
  if (auto ok = check_rate(learning_rate); !ok) return ok;
  if (auto ok = check_dense(block, gradient); !ok) return ok;
  dense_.update(block, gradient, learning_rate);
  return {};
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
  content.sparse = sparse_.export_partition(partition);
  return content;
}

result<void> parameter_store::save_rows(std::span<const std::uint64_t> keys,
                                        std::vector<std::vector<float>>& rows) const {
  const auto found = sparse_.resolve(keys);
  if (!found) return found.failure();
  sparse_.save(*found, rows);
  return {};
}

result<void> parameter_store::restore_dense(std::size_t block, std::uint64_t steps,
                                            std::span<const float> values,
                                            std::span<const float> state) {
  if (block < dense_.count() && dense_.restore(block, steps, values, state)) return {};
  return does_not_fit(block, values.size(), state.size());
}

result<void> parameter_store::adopt_dense(std::size_t block, std::uint64_t steps,
                                          shared_floats values) {
  const auto floats = values.values.size();
  if (block < dense_.count() && dense_.adopt(block, steps, std::move(values))) return {};
  return does_not_fit(block, floats, 0);
}

error parameter_store::does_not_fit(std::size_t block, std::size_t values,
                                    std::size_t state) const {
  if (block >= dense_.count())
    return {errc::invalid_argument, fmt::format("there is no dense block {}; shard {} has {}",
                                                block, shard_, dense_.count())};
  return {errc::invalid_argument,
          fmt::format("dense block {} of shard {} has {} values, not {}, or another state than {} "
                      "floats: it was saved under other tables or update rules",
                      block, shard_, dense_.range(block).size(), values, state)};
}

result<void> parameter_store::restore_dense_run(std::uint64_t first, std::uint64_t steps,
                                                std::span<const float> values,
                                                std::span<const float> state) {
  const auto size = map_.dense_size();
  if (first <= size && values.size() <= size - first &&
      dense_.restore_run(
          first, steps, values, state,
          dense_segments(tables_, rules_.by_table(), {first, first + values.size()})))
    return {};
  return {errc::invalid_argument,
          fmt::format("{} dense values from {} on, with {} floats of state, do not fit the {} of "
                      "this job: they were saved under other tables or update rules",
                      values.size(), first, state.size(), size)};
}

result<void> parameter_store::restore_rows(std::span<const std::uint64_t> keys,
                                           std::span<const std::span<const float>> rows) {
  auto found = sparse_.resolve(keys);
  if (!found) return found.failure();
  const auto widths = sparse_.stored_widths();
  bool fits = rows.size() == widths.size();
  for (std::size_t t = 0; fits && t < widths.size(); ++t)
    fits = rows[t].size() == keys.size() * widths[t];
  if (!fits)
    return {errc::invalid_argument,
            fmt::format("the rows of {} keys do not have the size of those of shard {}: they were "
                        "saved under other tables or update rules",
                        keys.size(), shard_)};
  if (sparse_keys() + found->absent() > key_index::rows_max)
    return {errc::limit_exceeded,
            fmt::format("shard {} would have more than {} keys", shard_, key_index::rows_max)};
  sparse_.restore(*found, rows);
  return {};
}

} // namespace gradmesh::parameters
