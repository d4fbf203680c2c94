#pragma once

/// The rows of one sparse table, by number. Growth never moves a row. New rows are zeros. Row 0 is
/// always there: nobody owns it and it stays zeros, so that a read of a row that does not exist
/// needs no question.

#include "actors/parameters/zeroed_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class row_arena {
public:
  explicit row_arena(std::size_t row_floats);

  std::size_t row_floats() const { return row_floats_; }

  /// Makes all rows up to this number.
  void reach(std::uint32_t number);

  float* row(std::uint32_t number) const {
    return chunks_[number >> chunk_shift_].as<float>() + (number & chunk_mask_) * row_floats_;
  }

  /// Where these rows are; asks the cache for the first `floats` of each.
  void locate(std::span<const std::uint32_t> numbers, std::size_t floats, float** rows) const;

private:
  std::size_t row_floats_;
  unsigned chunk_shift_; // log2 of the rows in a chunk
  std::uint32_t chunk_mask_;
  std::vector<zeroed_memory> chunks_;
};

} // namespace gradmesh::parameters
