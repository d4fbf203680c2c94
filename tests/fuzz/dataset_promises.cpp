#include "tests/fuzz/dataset_promises.hpp"

#include "tests/fuzz/target.hpp"

#include "actors/learning/data/assemble.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace gradmesh::fuzz {
namespace {

/// Offsets that begin with 0, ascend and end with the entries; indices that ascend in each row.
void check_sparse(std::size_t rows, std::span<const std::uint32_t> offsets,
                  std::span<const std::uint32_t> indices, std::size_t values) {
  promise(offsets.size() == rows + 1 && offsets.front() == 0 && offsets.back() == indices.size(),
          "offsets span the entries");
  promise(indices.size() == values, "each index has a value");
  promise(std::ranges::is_sorted(offsets), "offsets ascend");
  for (std::size_t row = 0; row < rows; ++row)
    for (auto e = offsets[row] + 1; e < offsets[row + 1]; ++e)
      promise(indices[e - 1] < indices[e], "the indices of a row ascend strictly");
}

void check_finite(std::span<const float> values) {
  promise(std::ranges::all_of(values, [](float v) { return std::isfinite(v); }),
          "values are finite");
}

} // namespace

void check_rows(const learning::file_rows& rows) {
  promise(rows.size() > 0, "a file that was read has rows");
  check_finite(rows.values);
  if (rows.kind == learning::layout::dense) {
    promise(rows.values.size() == rows.size() * rows.index_max, "each row has all columns");
    return;
  }
  check_sparse(rows.size(), rows.offsets, rows.indices, rows.values.size());
  promise(rows.lines.size() == rows.size(), "each row of a text has its line");
  if (rows.indices.empty()) return;
  const auto [least, greatest] = std::ranges::minmax(rows.indices);
  promise(rows.index_min == least && rows.index_max == greatest, "the range of indices is told");
}

void check_dataset(const learning::dataset& data) {
  check_finite(data.values);
  promise(std::ranges::all_of(data.labels,
                              [&](std::int64_t label) {
                                return label >= 0 && label < std::int64_t{data.shape.classes};
                              }),
          "labels are classes");
  if (data.shape.kind == learning::layout::dense) {
    promise(data.values.size() == data.size() * data.shape.features, "each row has all features");
    return;
  }
  check_sparse(data.size(), data.offsets, data.indices, data.values.size());
  promise(std::ranges::all_of(data.indices, [&](auto i) { return i < data.shape.features; }),
          "indices are below the width");
}

std::optional<learning::split_dataset> assembled(learning::file_rows rows) {
  auto data = learning::assemble(std::move(rows), std::nullopt, 0, std::nullopt);
  if (!data) return std::nullopt;
  check_dataset(data->train);
  promise(data->class_names.empty() || data->class_names.size() == data->train.shape.classes,
          "there is a name for each class or for none");
  return *std::move(data);
}

} // namespace gradmesh::fuzz
