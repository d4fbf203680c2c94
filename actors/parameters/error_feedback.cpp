#include "actors/parameters/error_feedback.hpp"

#include "actors/parameters/finite.hpp"
#include "actors/parameters/partition_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

namespace gradmesh::parameters {

namespace {

/// Encoded and decoded at a time, so that both stay in the first-level cache.
constexpr std::size_t piece_floats = 2048;
static_assert(piece_floats % group_floats == 0);
constexpr std::size_t places_ahead = 32;

/// values += gradient, without going over into infinity.
void add(const float* gradient, std::span<float> values) {
  constexpr float limit = std::numeric_limits<float>::max();
  float* const to = values.data();
  for_each_index(best_instruction_set(), values.size(), [=](std::size_t i) GRADMESH_LOOP_BODY {
    const float sum = to[i] + gradient[i];
    const float bounded = sum > limit ? limit : sum;
    to[i] = bounded < -limit ? -limit : bounded;
  });
}

void subtract(const float* decoded, std::span<float> values) {
  float* const to = values.data();
  for_each_index(best_instruction_set(), values.size(),
                 [=](std::size_t i) GRADMESH_LOOP_BODY { to[i] -= decoded[i]; });
}

} // namespace

error_feedback::error_feedback(transfer_format format, std::size_t dense_floats,
                               std::vector<std::size_t> row_widths, std::size_t row_bytes_max)
    : format_(format), dense_floats_(dense_floats), row_widths_(std::move(row_widths)),
      floats_per_key_(std::accumulate(row_widths_.begin(), row_widths_.end(), std::size_t{0})),
      place_bytes_(sizeof(std::uint64_t) + (floats_per_key_ + 1) / 2 * sizeof(std::uint64_t)) {
  if (format == transfer_format::float32) return;
  dense_.resize(dense_floats);
  if (floats_per_key_ == 0) return;
  places_ = std::bit_floor(row_bytes_max / place_bytes_);
  rows_ = zeroed_memory(places_ * place_bytes_);
}

result<void> error_feedback::check(std::span<const float> gradient,
                                   std::span<const std::byte> out) const {
  if (out.size() != encoded_bytes(format_, gradient.size()))
    return {errc::invalid_argument,
            fmt::format("{} bytes to encode {} gradients as {} into, expected {}", out.size(),
                        gradient.size(), to_string(format_),
                        encoded_bytes(format_, gradient.size()))};
  if (all_finite(gradient)) return {};
  const auto at = first_not_finite(gradient);
  return {errc::invalid_argument,
          fmt::format("the gradient's value {} of {} is {}; nothing was sent: lower the learning "
                      "rate or look for such values in the data",
                      at, gradient.size(), gradient[at])};
}

result<void> error_feedback::encode_sum(std::span<const float> gradient, float* values,
                                        std::span<std::byte> out) const {
  alignas(64) std::array<float, piece_floats> decoded;
  for (std::size_t first = 0; first < gradient.size(); first += piece_floats) {
    const auto n = std::min(piece_floats, gradient.size() - first);
    const std::span<float> piece(values + first, n);
    const auto code = out.subspan(encoded_bytes(format_, first), encoded_bytes(format_, n));
    add(gradient.data() + first, piece);
    if (auto ok = encode(format_, piece, code); !ok) return ok;
    if (auto ok = decode(format_, code, std::span(decoded).first(n)); !ok) return ok;
    subtract(decoded.data(), piece);
  }
  return {};
}

result<void> error_feedback::encode_dense(std::size_t first, std::span<const float> gradient,
                                          std::span<std::byte> out) {
  if (first % group_floats != 0 || first > dense_floats_ || gradient.size() > dense_floats_ - first)
    return {errc::invalid_argument,
            fmt::format("gradients {} to {} of {}: they must begin with a group of {} and lie "
                        "within",
                        first, first + gradient.size(), dense_floats_, group_floats)};
  if (auto ok = check(gradient, out); !ok) return ok;
  if (format_ == transfer_format::float32) return encode(format_, gradient, out);

  return encode_sum(gradient, dense_.data() + first, out);
}

std::byte* error_feedback::place_of(std::uint64_t key) const {
  return rows_.as<std::byte>() + (mix(key) & (places_ - 1)) * place_bytes_;
}

result<void> error_feedback::encode_rows(std::span<const std::uint64_t> keys,
                                         std::span<const float> gradients,
                                         std::span<std::byte> out) {
  if (gradients.size() != keys.size() * floats_per_key_)
    return {errc::invalid_argument,
            fmt::format("{} gradients of rows for {} keys, expected {}", gradients.size(),
                        keys.size(), keys.size() * floats_per_key_)};
  if (auto ok = check(gradients, out); !ok) return ok;
  if (places_ == 0) return encode(format_, gradients, out);

  // Calls `use(place, value, residual)` for each value of each key.
  const auto for_each_value = [&](const auto& at_place, const auto& use) {
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if (k + places_ahead < keys.size()) __builtin_prefetch(place_of(keys[k + places_ahead]));
      std::byte* const place = place_of(keys[k]);
      auto* residual = reinterpret_cast<float*>(place + sizeof keys[k]);
      const bool own = at_place(place, keys[k]);
      std::size_t table = 0;
      for (const auto width : row_widths_) {
        for (std::size_t i = 0; i < width; ++i)
          use(table + k * width + i, own, *residual++);
        table += keys.size() * width;
      }
    }
  };
  of_rows_.resize(gradients.size());
  for_each_value(
      // A place that nobody has is all zeros: key 0 without a residual.
      [](const std::byte* place, std::uint64_t key) {
        return std::memcmp(place, &key, sizeof key) == 0;
      },
      [&](std::size_t at, bool own, float residual) { of_rows_[at] = own ? residual : 0; });
  if (auto ok = encode_sum(gradients, of_rows_.data(), out); !ok) return ok;
  for_each_value(
      [](std::byte* place, std::uint64_t key) {
        std::memcpy(place, &key, sizeof key);
        return true;
      },
      [&](std::size_t at, bool, float& residual) { residual = of_rows_[at]; });
  return {};
}

} // namespace gradmesh::parameters
