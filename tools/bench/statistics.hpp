#pragma once

/// Figures over the runs of a measurement. All want at least one value.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gradmesh::tools::bench {

/// The value below which the share `q` in [0, 1] of all lies.
inline double quantile(std::vector<double> values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

/// The mean of the two in the middle where there is no middle one.
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// (greatest - least) / median; 0 if the median is.
inline double spread(const std::vector<double>& values) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  const auto middle = median(values);
  return middle == 0 ? 0 : (*greatest - *least) / middle;
}

} // namespace gradmesh::tools::bench
