#include "actors/parameters/sparse_parameters.hpp"

#include "actors/learning/initialize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace gradmesh::parameters {

namespace {

/// Keys that are hashed and checked at a time: what the lookup then reads is in the first-level
/// cache.
constexpr std::size_t hashed_keys = 1024;
/// Rows that are fetched while as many others are worked on.
constexpr std::size_t fetched_rows = 64;

/// Calls `use(first, rows)` for all rows, a batch at a time, while the next batch is on its way.
template <class Use>
void for_each_batch(const row_arena& arena, std::span<const std::uint32_t> numbers,
                    std::size_t floats, const Use& use) {
  std::array<std::array<float*, fetched_rows>, 2> located;
  const auto batch = [&](std::size_t first) {
    return numbers.subspan(first, std::min(fetched_rows, numbers.size() - first));
  };
  std::size_t turn = 0;
  if (!numbers.empty()) arena.locate(batch(0), floats, located[turn].data());
  for (std::size_t first = 0; first < numbers.size(); first += fetched_rows, turn = 1 - turn) {
    if (first + fetched_rows < numbers.size())
      arena.locate(batch(first + fetched_rows), floats, located[1 - turn].data());
    use(first, std::span<float* const>(located[turn].data(), batch(first).size()));
  }
}

} // namespace

sparse_parameters::sparse_parameters(std::span<const learning::table_spec> tables,
                                     const partition_map& map, std::uint32_t shard,
                                     std::span<const optimizer* const> rules, std::uint64_t seed,
                                     instruction_set set)
    : map_(map), shard_(shard), seed_(seed), set_(set),
      own_(map.hashes_of(map.partitions_of(shard))),
      owns_some_(map.partitions_of(shard).size() != 0), index_(own_, set) {
  for (std::size_t t = 0; t < tables.size(); ++t)
    if (tables[t].kind == learning::table_kind::sparse)
      tables_.push_back({.spec = tables[t],
                         .index = t,
                         .width = tables[t].width,
                         .rule = rules[t],
                         .rows = row_arena(rules[t]->row_floats(tables[t].width))});
}

result<key_rows> sparse_parameters::resolve(std::span<const std::uint64_t> keys) const {
  key_rows resolved;
  if (keys.empty()) return resolved;
  if (tables_.empty() || !owns_some_ || keys.size() > key_index::rows_max) return explain(keys);

  resolved.numbers_.resize(keys.size());
  std::array<std::uint64_t, hashed_keys> hashes;
  for (std::size_t first = 0; first < keys.size(); first += hashed_keys) {
    const auto n = std::min(hashed_keys, keys.size() - first);
    const auto* key = keys.data() + first;
    auto* hash = hashes.data();
    const auto own = own_;
    for_each_index(set_, n, [=](std::size_t i) GRADMESH_LOOP_BODY { hash[i] = mix(key[i]); });
    const bool foreign = any_of_indices(set_, n, [=](std::size_t i) GRADMESH_LOOP_BODY {
      return std::uint64_t{hash[i] - own.first > own.last - own.first};
    });
    const std::size_t begin = first == 0 ? 1 : 0;
    const bool falling = any_of_indices(set_, n - begin, [=](std::size_t i) GRADMESH_LOOP_BODY {
      const auto* at = key + begin + i;
      return std::uint64_t{at[0] <= at[-1]};
    });
    if (foreign || falling) return explain(keys);
    index_.find(std::span(hashes).first(n), resolved.numbers_.data() + first);
  }
  const auto& numbers = resolved.numbers_;
  resolved.absent_.reserve(std::ranges::count(numbers, key_index::no_row));
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (numbers[i] == key_index::no_row)
      resolved.absent_.push_back({mix(keys[i]), static_cast<std::uint32_t>(i)});
  return resolved;
}

error sparse_parameters::explain(std::span<const std::uint64_t> keys) const {
  if (tables_.empty())
    return {errc::invalid_argument,
            fmt::format("{} keys for a model without sparse tables, expected 0: worker and shard "
                        "disagree about the job's tables or partitions; submit the job again",
                        keys.size())};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0 && keys[i] <= keys[i - 1])
      return {errc::invalid_argument,
              fmt::format("key {} at position {} does not lie above its predecessor {}; keys must "
                          "be strictly ascending",
                          keys[i], i, keys[i - 1])};
    if (map_.owner_of_key(keys[i]) != shard_)
      return {errc::invalid_argument,
              fmt::format("key {} at position {} belongs to partition {} of shard {}, but this is "
                          "shard {}; fetch the current view and send it there",
                          keys[i], i, map_.partition_of_key(keys[i]), map_.owner_of_key(keys[i]),
                          shard_)};
  }
  return {errc::limit_exceeded,
          fmt::format("{} keys at once; a shard has at most {}", keys.size(), key_index::rows_max)};
}

void sparse_parameters::fill_initial(const table& of, std::uint64_t hash, float* row) const {
  learning::fill_initial_row(of.spec, seed_, of.index, unmix(hash), {row, of.width});
}

void sparse_parameters::read(const key_rows& keys, std::span<float> out) const {
  for (const auto& from : tables_) {
    read_table(from, keys, out.data());
    out = out.subspan(keys.size() * from.width);
  }
}

void sparse_parameters::read_table(const table& from, const key_rows& keys, float* out) const {
  const auto width = from.width;
  // An absent key reads the zeros of row 0 first.
  for_each_batch(from.rows, keys.numbers_, width,
                 [&](std::size_t first, std::span<float* const> rows) {
                   float* to = out + first * width;
                   if (width == 1)
                     for (std::size_t i = 0; i < rows.size(); ++i)
                       to[i] = *rows[i];
                   else
                     for (std::size_t i = 0; i < rows.size(); ++i)
                       std::copy_n(rows[i], width, to + i * width);
                 });
  if (keys.absent_.empty()) return;
  std::vector<std::uint64_t> hashes(keys.absent_.size());
  std::ranges::transform(keys.absent_, hashes.begin(), &key_rows::absent_key::hash);
  std::vector<std::uint32_t> numbers(hashes.size());
  index_.find(hashes, numbers.data());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    float* to = out + keys.absent_[i].position * width;
    if (numbers[i] != key_index::no_row)
      std::copy_n(from.rows.row(numbers[i]), width, to);
    else
      fill_initial(from, hashes[i], to);
  }
}

void sparse_parameters::make_rows(key_rows& keys) {
  const auto& absent = keys.absent_;
  for (auto& in : tables_)
    in.rows.reach(static_cast<std::uint32_t>(index_.size() + absent.size()));
  for (std::size_t i = 0; i < absent.size(); ++i) {
    if (i + fetched_rows < absent.size()) index_.prefetch(absent[i + fetched_rows].hash);
    const auto before = index_.size();
    const auto number = index_.find_or_insert(absent[i].hash);
    keys.numbers_[absent[i].position] = number;
    if (index_.size() == before) continue;
    for (const auto& in : tables_)
      if (in.spec.init != learning::initializer::zeros)
        fill_initial(in, absent[i].hash, in.rows.row(number));
  }
  keys.absent_ = {}; // a kept list need not carry the memory on
}

void sparse_parameters::apply(key_rows& keys, std::span<const float> gradients,
                              float learning_rate) {
  make_rows(keys);
  const float* of_table = gradients.data();
  for (const auto& in : tables_) {
    for_each_batch(in.rows, keys.numbers_, in.rows.row_floats(),
                   [&](std::size_t first, std::span<float* const> rows) {
                     in.rule->update_rows(rows, in.width, of_table + first * in.width,
                                          learning_rate);
                   });
    of_table += keys.size() * in.width;
  }
}

std::vector<std::size_t> sparse_parameters::stored_widths() const {
  std::vector<std::size_t> widths;
  for (const auto& of : tables_)
    widths.push_back(of.rows.row_floats());
  return widths;
}

std::vector<std::uint64_t> sparse_parameters::keys_of(std::uint32_t partition) const {
  std::vector<std::uint64_t> keys;
  for (const auto& entry :
       index_.entries(map_.hashes_of({partition, partition + std::uint64_t{1}})))
    keys.push_back(unmix(entry.hash));
  std::ranges::sort(keys);
  return keys;
}

void sparse_parameters::save(const key_rows& keys, std::vector<std::vector<float>>& rows) const {
  rows.resize(tables_.size());
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    const auto& from = tables_[t].rows;
    rows[t].clear();
    for (const auto number : keys.numbers_)
      rows[t].insert(rows[t].end(), from.row(number), from.row(number) + from.row_floats());
  }
}

void sparse_parameters::restore(key_rows& keys, std::span<const std::span<const float>> rows) {
  make_rows(keys);
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    const auto& to = tables_[t].rows;
    const auto floats = to.row_floats();
    for (std::size_t i = 0; i < keys.numbers_.size(); ++i)
      std::ranges::copy(rows[t].subspan(i * floats, floats), to.row(keys.numbers_[i]));
  }
}

std::vector<table_rows> sparse_parameters::export_partition(std::uint32_t partition) const {
  auto entries = index_.entries(map_.hashes_of({partition, partition + std::uint64_t{1}}));
  for (auto& entry : entries)
    entry.hash = unmix(entry.hash); // now a key
  std::ranges::sort(entries, {}, &key_index::entry::hash);
  std::vector<table_rows> out;
  for (const auto& from : tables_) {
    auto& rows = out.emplace_back();
    rows.keys.reserve(entries.size());
    rows.rows.reserve(entries.size() * from.width);
    for (const auto& entry : entries) {
      const float* row = from.rows.row(entry.row);
      rows.keys.push_back(entry.hash);
      rows.rows.insert(rows.rows.end(), row, row + from.width);
    }
  }
  return out;
}

} // namespace gradmesh::parameters
