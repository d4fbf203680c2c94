#include "actors/learning/step_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::learning {

namespace {

template <class... Args>
error invalid(fmt::format_string<Args...> text, Args&&... args) {
  return {errc::invalid_argument, fmt::format(text, std::forward<Args>(args)...)};
}

/// Whether all are below `limit`. Every step looks at every entry: without a way out in the middle
/// that takes a cycle each.
bool all_below(std::span<const std::uint32_t> numbers, std::size_t limit) {
  std::uint32_t beyond = 0;
  for (const auto number : numbers)
    beyond |= static_cast<std::uint32_t>(number >= limit);
  return beyond == 0;
}

result<void> check_dense(const example_view& batch) {
  if (batch.values.size() != batch.size() * std::size_t{batch.shape.features})
    return invalid("batch of {} examples with {} features has {} values; the sender's batch is "
                   "damaged, check its data source",
                   batch.size(), batch.shape.features, batch.values.size());
  return {};
}

result<void> check_sparse(const example_view& batch) {
  if (batch.size() == 0) return {};
  if (batch.offsets.size() != batch.size() + 1)
    return invalid("batch of {} examples has {} offsets instead of {}; the sender's batch is "
                   "damaged, check its data source",
                   batch.size(), batch.offsets.size(), batch.size() + 1);
  if (!std::ranges::is_sorted(batch.offsets))
    return invalid("offsets of a batch of {} examples do not ascend; the sender's batch is "
                   "damaged, check its data source",
                   batch.size());
  const auto last = batch.offsets.back();
  if (last > batch.indices.size() || last > batch.values.size())
    return invalid("offsets of a batch end at {}, beyond its {} indices and {} values; the "
                   "sender's batch is damaged, check its data source",
                   last, batch.indices.size(), batch.values.size());
  const auto first = batch.offsets.front();
  if (all_below(batch.indices.subspan(first, last - first), batch.shape.features)) return {};
  for (auto i = first; i < last; ++i)
    if (batch.indices[i] >= batch.shape.features)
      return invalid("feature index {} at entry {} of a batch is not below {}, the model's number "
                     "of features; raise data.features or check the data source",
                     batch.indices[i], i, batch.shape.features);
  return {};
}

} // namespace

result<void> check_batch(const data_shape& shape, const example_view& batch) {
  if (batch.shape != shape)
    return invalid("batch has layout {}, {} features and {} classes where the model was built for "
                   "layout {}, {} features and {} classes; data and job do not belong together",
                   static_cast<int>(batch.shape.kind), batch.shape.features, batch.shape.classes,
                   static_cast<int>(shape.kind), shape.features, shape.classes);
  for (std::size_t i = 0; i < batch.labels.size(); ++i)
    if (batch.labels[i] < 0 || static_cast<std::uint32_t>(batch.labels[i]) >= shape.classes)
      return invalid("label {} of example {} in a batch is not in 0..{}; check the data source",
                     batch.labels[i], i, shape.classes - 1);
  return shape.kind == layout::dense ? check_dense(batch) : check_sparse(batch);
}

std::size_t entry_count(const example_view& batch) {
  return batch.size() == 0 ? 0 : batch.offsets.back() - batch.offsets.front();
}

result<void> check_plan(const example_view& batch, const step_plan& plan) {
  const auto entries = entry_count(batch);
  if (plan.rows.size() != entries)
    return invalid("plan names rows for {} indices where the batch has {}; plan and batch do not "
                   "belong together",
                   plan.rows.size(), entries);
  return check_rows(plan.rows, plan.keys.size());
}

result<void> check_rows(std::span<const std::uint32_t> rows, std::size_t keys) {
  if (all_below(rows, keys)) return {};
  return invalid("plan names row {} of {} keys; it was not made by this model",
                 *std::ranges::max_element(rows), keys);
}

result<void> check_parameters(std::string_view what, const std::vector<table_spec>& tables,
                              std::size_t keys, const parameter_view& values) {
  if (values.dense.size() != dense_size(tables))
    return invalid("{} have {} dense elements where the model's tables have {}; they belong to "
                   "another model",
                   what, values.dense.size(), dense_size(tables));
  std::size_t sparse = 0;
  for (const auto& table : tables) {
    if (table.kind != table_kind::sparse) continue;
    if (sparse == values.sparse.size())
      return invalid("{} have {} sparse tables where the model has more ('{}'); they belong to "
                     "another model",
                     what, sparse, table.name);
    if (values.sparse[sparse].size() != keys * table.width)
      return invalid("{} of sparse table '{}' have {} elements instead of {} rows of {}; pull "
                     "exactly the keys of the plan",
                     what, table.name, values.sparse[sparse].size(), keys, table.width);
    ++sparse;
  }
  if (sparse != values.sparse.size())
    return invalid("{} have {} sparse tables where the model has {}; they belong to another model",
                   what, values.sparse.size(), sparse);
  return {};
}

parameter_view as_const(const gradient_view& gradients) {
  return {gradients.dense, {gradients.sparse.begin(), gradients.sparse.end()}};
}

} // namespace gradmesh::learning
