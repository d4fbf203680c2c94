#pragma once

/// What a worker's pushes lost in a coarse format is remembered and added to the next ones: with g
/// the gradient and e what is left of former ones, it sends c = encode(g + e) and keeps
/// e' = g + e - decode(c). So all that was decoded, plus what is left, is all that was pushed: the
/// sum of n pushes is off by the last e and not by n errors. For int8 with gradients up to G,
/// |e| <= G / 253 for each value. Seide et al.: "1-bit stochastic gradient descent", Interspeech
/// 2014; Karimireddy et al.: "Error feedback fixes SignSGD", ICML 2019.
///
/// Dense values have a residual each. Rows have theirs in a table of fixed size where a key has one
/// place by its hash, shared with other keys: the key that was pushed last has it, and what another
/// one had left there is lost, which costs that key one rounding error of a push, as if there were
/// no feedback. Nothing has a residual in float32.
///
/// Used by one thread at a time. Create it anew when a job begins; a push that was refused should
/// not be encoded again (its error is in the residual already).

#include "actors/error.hpp"
#include "actors/parameters/transfer_codec.hpp"
#include "actors/parameters/zeroed_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::parameters {

class error_feedback {
public:
  /// For `dense_floats` dense values and rows of these widths. The residuals of rows take at most
  /// `row_bytes_max` bytes, and no memory before they are used.
  error_feedback(transfer_format format, std::size_t dense_floats,
                 std::vector<std::size_t> row_widths, std::size_t row_bytes_max);

  transfer_format format() const { return format_; }
  /// Keys that can have a residual.
  std::size_t row_places() const { return places_; }

  /// Encodes the gradient of the dense values from `first` on, which begins a group of the codec.
  /// `errc::invalid_argument` if it is not within the dense values or `out` does not have
  /// `encoded_bytes(format(), gradient.size())` bytes, or a value, with its residual, is not
  /// finite; then no residual has changed.
  result<void> encode_dense(std::size_t first, std::span<const float> gradient,
                            std::span<std::byte> out);

  /// Encodes the gradients of rows: for each table keys x width, row-major. Errors as
  /// `encode_dense`.
  result<void> encode_rows(std::span<const std::uint64_t> keys, std::span<const float> gradients,
                           std::span<std::byte> out);

private:
  result<void> check(std::span<const float> gradient, std::span<const std::byte> out) const;
  /// Encodes the finite `gradient` with the residuals at `values`, and leaves the new ones there.
  result<void> encode_sum(std::span<const float> gradient, float* values,
                          std::span<std::byte> out) const;
  std::byte* place_of(std::uint64_t key) const;

  transfer_format format_;
  std::size_t dense_floats_;
  std::vector<float> dense_; // empty in float32
  std::vector<std::size_t> row_widths_;
  std::size_t floats_per_key_;
  std::size_t place_bytes_; // a key, then its residuals
  std::size_t places_ = 0;  // 0 or a power of two
  zeroed_memory rows_;
  std::vector<float> of_rows_; // residuals by row: kept from push to push
};

} // namespace gradmesh::parameters
