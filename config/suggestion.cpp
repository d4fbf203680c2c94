#include "config/suggestion.hpp"

#include <algorithm>
#include <numeric>

namespace gradmesh::config {

namespace {

/// Names come from files and peers: without a limit, a long one costs time for nothing.
constexpr std::size_t name_bytes_max = 128;

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // row[j]: distance between the first i bytes of a and the first j bytes of b.
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string closest(std::string_view name, const std::vector<std::string>& known) {
  if (name.size() > name_bytes_max) return {};
  std::string best;
  auto best_distance = std::max<std::size_t>(1, name.size() / 4) + 1;
  for (const auto& candidate : known) {
    const auto distance = edit_distance(name, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

} // namespace gradmesh::config
