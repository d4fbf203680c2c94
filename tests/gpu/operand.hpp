#pragma once

/// Random operands in the memory of a backend, and the comparison with a reference in double.

#include "gpu/buffer.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace gradmesh::gpu {

class operand_source {
public:
  explicit operand_source(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::vector<float> floats(std::size_t count) {
    std::uniform_real_distribution<float> draw(-1, 1);
    std::vector<float> values(count);
    for (auto& v : values)
      v = draw(random_);
    return values;
  }

private:
  std::mt19937_64 random_;
};

/// Values on the backend.
template <class T>
class operand {
public:
  operand(backend& owner, const std::vector<T>& values)
      : owner_(owner), memory_(owner), view_(memory_.scratch(values.size())) {
    owner.copy_to_device(view_.data, values.data(), values.size() * sizeof(T));
    (void)owner.wait(); // `values` may be gone after this line
  }

  device_span<T> span() const { return view_; }
  device_matrix<T> matrix(std::size_t rows, std::size_t columns) const {
    REQUIRE(rows * columns == view_.size);
    return as_matrix(view_, rows, columns);
  }

  std::vector<T> values() const {
    std::vector<T> host(view_.size);
    owner_.copy_to_host(host.data(), view_.data, host.size() * sizeof(T));
    REQUIRE_FALSE(owner_.wait());
    return host;
  }

private:
  backend& owner_;
  buffer<T> memory_;
  device_span<T> view_;
};

/// What an operation must overwrite: whatever it misses is seen.
inline std::vector<float> poison(std::size_t count) {
  return std::vector<float>(count, std::numeric_limits<float>::quiet_NaN());
}

/// A sum in double with the sum of its terms' magnitudes, which bounds float's rounding error.
struct reference_sum {
  double value = 0;
  double magnitude = 0;

  void add(double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

inline void check_close(const std::vector<float>& got, const std::vector<reference_sum>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    CAPTURE(wanted[i].value);
    // Negated so that NaN fails.
    if (!(std::abs(got[i] - wanted[i].value) <= 1e-5 * wanted[i].magnitude + 1e-12))
      FAIL("differs from the double reference");
  }
}

} // namespace gradmesh::gpu
