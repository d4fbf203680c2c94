#include "actors/store/model_content.hpp"

#include "actors/parameters/body_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradmesh::store {

namespace {

using parameters::partition_content;
using parameters::partition_map;
using parameters::table_rows;

struct row_place {
  std::uint64_t key = 0;
  const float* row = nullptr;
};

result<void> check_rows(const table_rows& table, std::size_t width, std::size_t index) {
  if (table.rows.size() != table.keys.size() * width)
    return {errc::invalid_argument,
            fmt::format("sparse table {} has {} keys and rows of {} floats, but {} floats instead "
                        "of {}",
                        index, table.keys.size(), width, table.rows.size(),
                        table.keys.size() * width)};
  const auto fault = std::adjacent_find(table.keys.begin(), table.keys.end(), std::greater_equal());
  if (fault != table.keys.end())
    return {errc::invalid_argument,
            fmt::format("sparse table {}: key {} follows {}; keys must be strictly ascending",
                        index, *(fault + 1), *fault)};
  return {};
}

/// The partitions by number.
result<std::vector<const partition_content*>>
in_order(std::span<const partition_content> partitions, const partition_map& map) {
  std::vector<const partition_content*> ordered(map.partitions(), nullptr);
  for (const auto& content : partitions) {
    if (content.partition >= map.partitions())
      return {errc::invalid_argument, fmt::format("partition {} is not one of the job's {}",
                                                  content.partition, map.partitions())};
    if (ordered[content.partition])
      return {errc::invalid_argument, fmt::format("partition {} comes twice", content.partition)};
    ordered[content.partition] = &content;
  }
  const auto missing = std::find(ordered.begin(), ordered.end(), nullptr);
  if (missing != ordered.end())
    return {errc::invalid_argument,
            fmt::format("partition {} is missing ({} of {} have come); ask its shard for it",
                        missing - ordered.begin(), partitions.size(), map.partitions())};
  return ordered;
}

result<void> check_partition(const partition_content& content, const partition_map& map,
                             const parameters::body_layout& layout) {
  const auto range = map.dense_of_partition(content.partition);
  if (content.dense_first != range.first || content.dense.size() != range.size())
    return {errc::invalid_argument,
            fmt::format("partition {} holds {} dense floats from {} on, expected {} from {} on",
                        content.partition, content.dense.size(), content.dense_first, range.size(),
                        range.first)};
  if (content.sparse.size() != layout.row_widths().size())
    return {errc::invalid_argument,
            fmt::format("partition {} holds {} sparse tables, the model has {}", content.partition,
                        content.sparse.size(), layout.row_widths().size())};
  for (std::size_t s = 0; s < content.sparse.size(); ++s) {
    if (auto ok = check_rows(content.sparse[s], layout.row_widths()[s], s); !ok)
      return {errc::invalid_argument,
              fmt::format("partition {}: {}", content.partition, ok.failure().text)};
    for (const auto key : content.sparse[s].keys)
      if (map.partition_of_key(key) != content.partition)
        return {errc::invalid_argument,
                fmt::format("partition {} holds key {} of partition {}", content.partition, key,
                            map.partition_of_key(key))};
  }
  return {};
}

table_rows merge_rows(std::span<const partition_content* const> partitions, std::size_t index,
                      std::size_t width) {
  std::vector<row_place> places;
  for (const auto* content : partitions) {
    const auto& table = content->sparse[index];
    for (std::size_t i = 0; i < table.keys.size(); ++i)
      places.push_back({table.keys[i], table.rows.data() + i * width});
  }
  std::sort(places.begin(), places.end(),
            [](const row_place& a, const row_place& b) { return a.key < b.key; });
  table_rows merged;
  merged.keys.reserve(places.size());
  merged.rows.reserve(places.size() * width);
  for (const auto& place : places) {
    merged.keys.push_back(place.key);
    merged.rows.insert(merged.rows.end(), place.row, place.row + width);
  }
  return merged;
}

} // namespace

result<void> check_model(const model_content& content) {
  if (auto ok = parameters::check_tables(content.tables); !ok) return ok;
  if (content.hidden.size() > hidden_layers_max)
    return {errc::invalid_argument, fmt::format("a model of {} hidden layers; use at most {}",
                                                content.hidden.size(), hidden_layers_max)};
  if (!content.class_names.empty() && content.class_names.size() != content.shape.classes)
    return {errc::invalid_argument, fmt::format("{} class names for {} classes",
                                                content.class_names.size(), content.shape.classes)};
  if (content.dense.size() != learning::dense_size(content.tables))
    return {errc::invalid_argument,
            fmt::format("{} dense parameters, but the tables have {}", content.dense.size(),
                        learning::dense_size(content.tables))};
  const parameters::body_layout layout(content.tables);
  if (content.sparse.size() != layout.row_widths().size())
    return {errc::invalid_argument, fmt::format("rows of {} sparse tables, but the model has {}",
                                                content.sparse.size(), layout.row_widths().size())};
  for (std::size_t s = 0; s < content.sparse.size(); ++s)
    if (auto ok = check_rows(content.sparse[s], layout.row_widths()[s], s); !ok) return ok;
  return {};
}

result<void> assemble_model(std::span<const partition_content> partitions, const partition_map& map,
                            model_content& model) {
  if (auto ok = parameters::check_tables(model.tables); !ok) return ok;
  if (map.dense_size() != learning::dense_size(model.tables))
    return {errc::invalid_argument,
            fmt::format("the partition map has {} dense floats, the model's tables have {}",
                        map.dense_size(), learning::dense_size(model.tables))};
  const auto ordered = in_order(partitions, map);
  if (!ordered) return ordered.failure();
  const parameters::body_layout layout(model.tables);
  for (const auto* content : *ordered)
    if (auto ok = check_partition(*content, map, layout); !ok) return ok;

  model.dense.clear();
  model.dense.reserve(map.dense_size());
  for (const auto* content : *ordered)
    model.dense.insert(model.dense.end(), content->dense.begin(), content->dense.end());
  model.sparse.clear();
  for (std::size_t s = 0; s < layout.row_widths().size(); ++s)
    model.sparse.push_back(merge_rows(*ordered, s, layout.row_widths()[s]));
  return {};
}

} // namespace gradmesh::store
