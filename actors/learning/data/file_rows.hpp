#pragma once

/// INTERNAL to `learning/data`: what a reader makes of one file, before labels become classes and
/// the training and the test file agree on a width.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::learning {

/// The most rows and entries that the types of a `dataset` can address.
inline constexpr std::uint64_t rows_max = std::numeric_limits<std::int32_t>::max();
inline constexpr std::uint64_t entries_max = std::numeric_limits<std::uint32_t>::max();

struct file_rows {
  std::string name; // of the file, for messages
  layout kind = layout::sparse;
  /// As they stand in the file, one a row.
  std::vector<std::int64_t> labels;
  /// Text: the line of each row, from 1. Empty for IDX, whose row i has its label at byte 8 + i.
  std::vector<std::uint64_t> lines;
  /// As in `dataset`. Sparse indices are numbers of the file: whether they begin with 0 or 1 is
  /// decided when all files are read.
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  /// Sparse: the smallest and the largest index that occur. Dense: `index_max` columns.
  std::uint32_t index_min = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t index_max = 0;

  std::size_t size() const { return labels.size(); }
};

/// "file:12" or "file: byte 20", where the label of a row stands.
std::string label_position(const file_rows& rows, std::size_t row);

/// `errc::malformed_data` with "file:12: what".
error line_error(std::string_view file, std::uint64_t line, const std::string& what);
/// `errc::malformed_data` with "file: byte 20: what".
error byte_error(std::string_view file, std::uint64_t byte, const std::string& what);
/// `errc::malformed_data` with "file: what".
error file_error(std::string_view file, const std::string& what);

} // namespace gradmesh::learning
