#include "actors/learning/data/assemble.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <xxhash.h>

namespace gradmesh::learning {
namespace {

error beyond_width(const file_rows& rows, std::uint32_t first_index, std::uint32_t features) {
  std::size_t entry = 0;
  while (rows.indices[entry] - first_index < features)
    ++entry;
  const auto after = std::upper_bound(rows.offsets.begin(), rows.offsets.end(), entry);
  const auto row = static_cast<std::size_t>(after - rows.offsets.begin()) - 1;
  return line_error(rows.name, rows.lines[row],
                    "feature " + std::to_string(rows.indices[entry]) + " is beyond the " +
                        std::to_string(features) + " declared features (numbered from " +
                        std::to_string(first_index) + ")");
}

/// The width of the data, with sparse indices counted from `first_index`.
result<std::uint32_t> common_width(const file_rows& train, const file_rows* test,
                                   std::uint32_t first_index, std::uint32_t declared) {
  if (train.kind == layout::sparse) {
    // A file of empty rows has index_max 0 and no index: one feature is the least there can be.
    const auto width_of = [&](const file_rows& rows) {
      return rows.indices.empty() ? 1 : rows.index_max - first_index + 1;
    };
    std::uint32_t found = width_of(train);
    if (test != nullptr) found = std::max(found, width_of(*test));
    if (declared == 0) return found;
    for (const file_rows* rows : {&train, test})
      if (rows != nullptr && width_of(*rows) > declared)
        return beyond_width(*rows, first_index, declared);
    return declared;
  }
  const std::uint32_t expected = declared != 0 ? declared : train.index_max;
  for (const file_rows* rows : {&train, test})
    if (rows != nullptr && rows->index_max != expected)
      return file_error(rows->name,
                        "has " + std::to_string(rows->index_max) + " features a row, but " +
                            std::to_string(expected) +
                            (declared != 0 ? " are declared" : " are in " + train.name));
  return expected;
}

result<dataset> to_dataset(file_rows rows, std::uint32_t first_index, const data_shape& shape,
                           const label_map& labels) {
  dataset data;
  data.shape = shape;
  data.labels.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto label = labels.find(rows.labels[row]);
    if (!label)
      return {errc::malformed_data, label_position(rows, row) + ": label " +
                                        std::to_string(rows.labels[row]) +
                                        " is no class; expected " + labels.expected()};
    data.labels.push_back(*label);
  }
  if (first_index != 0)
    for (auto& index : rows.indices)
      index -= first_index;
  data.offsets = std::move(rows.offsets);
  data.indices = std::move(rows.indices);
  data.values = std::move(rows.values);
  return data;
}

void append_row(dataset& to, const dataset& from, std::size_t row) {
  to.labels.push_back(from.labels[row]);
  std::size_t first = row * from.shape.features;
  std::size_t last = first + from.shape.features;
  if (from.shape.kind == layout::sparse) {
    first = from.offsets[row];
    last = from.offsets[row + 1];
    to.indices.insert(to.indices.end(), from.indices.data() + first, from.indices.data() + last);
    to.offsets.push_back(static_cast<std::uint32_t>(to.indices.size()));
  }
  to.values.insert(to.values.end(), from.values.data() + first, from.values.data() + last);
}

/// Splits the training set of `data` by a test on the row number.
template <class Chosen>
result<void> split_rows(split_dataset& data, const std::string& key, Chosen is_test) {
  dataset train;
  dataset test;
  for (dataset* part : {&train, &test}) {
    part->shape = data.train.shape;
    if (part->shape.kind == layout::sparse) part->offsets.push_back(0);
  }
  for (std::size_t row = 0; row < data.train.size(); ++row)
    append_row(is_test(row) ? test : train, data.train, row);
  if (train.size() == 0 || test.size() == 0)
    return {errc::invalid_argument, key + " would leave " + std::to_string(train.size()) +
                                        " training and " + std::to_string(test.size()) +
                                        " test rows; both need at least one"};
  data.train = std::move(train);
  data.test = std::move(test);
  return {};
}

} // namespace

result<split_dataset> assemble(file_rows train, std::optional<file_rows> test,
                               std::uint32_t features, std::optional<label_map> labels) {
  const std::uint32_t index_min =
      std::min(train.index_min, test ? test->index_min : train.index_min);
  const bool counts_from_one = train.kind == layout::sparse && index_min != 0;
  const std::uint32_t first_index = counts_from_one ? 1 : 0;
  const auto width = common_width(train, test ? &*test : nullptr, first_index, features);
  if (!width) return width.failure();
  if (!labels) labels = label_map::of_values(train.labels);

  const data_shape shape{train.kind, *width, static_cast<std::uint32_t>(labels->names().size())};
  split_dataset data;
  data.class_names = labels->names();
  auto train_set = to_dataset(std::move(train), first_index, shape, *labels);
  if (!train_set) return train_set.failure();
  data.train = *std::move(train_set);
  data.test.shape = shape;
  if (shape.kind == layout::sparse) data.test.offsets.push_back(0);
  if (test) {
    auto test_set = to_dataset(*std::move(test), first_index, shape, *labels);
    if (!test_set) return test_set.failure();
    data.test = *std::move(test_set);
  }
  return data;
}

result<void> split_last(split_dataset& data, std::uint64_t count) {
  const std::size_t rows = data.train.size();
  return split_rows(data, "test_last = " + std::to_string(count),
                    [&](std::size_t row) { return rows - row <= count; });
}

result<void> split_fraction(split_dataset& data, double fraction, std::uint64_t seed) {
  const double threshold = std::ldexp(fraction, 64);
  return split_rows(data, "test_fraction = " + std::to_string(fraction), [&](std::size_t row) {
    const std::uint64_t number = row;
    return static_cast<double>(XXH3_64bits_withSeed(&number, sizeof number, seed)) < threshold;
  });
}

} // namespace gradmesh::learning
