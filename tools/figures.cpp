#include "tools/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace gradmesh::tools {
namespace {

constexpr const char* unknown = "-";
constexpr std::array<const char*, 6> prefixes{"", "k", "M", "G", "T", "P"};

struct scaled {
  std::string number; // three digits
  const char* prefix;
};

/// Of a finite value that is not negative.
scaled scale(double value) {
  std::size_t prefix = 0;
  // 999.5 and more would be rounded to four digits.
  while (value >= 999.5 && prefix + 1 < prefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  const bool whole = prefix == 0 && value == std::floor(value);
  const int digits = whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return {fmt::format("{:.{}f}", value, digits), prefixes[prefix]};
}

/// The mean of each of `columns` equal parts of the values, without those that are not finite.
std::vector<double> resample(std::span<const float> values, std::size_t columns) {
  const auto parts = std::min(columns, values.size());
  std::vector<double> means;
  for (std::size_t p = 0; p < parts; ++p) {
    double sum = 0;
    std::size_t count = 0;
    for (auto i = p * values.size() / parts; i < (p + 1) * values.size() / parts; ++i) {
      if (!std::isfinite(values[i])) continue;
      sum += values[i];
      ++count;
    }
    means.push_back(count > 0 ? sum / static_cast<double>(count)
                              : std::numeric_limits<double>::quiet_NaN());
  }
  return means;
}

} // namespace

std::string short_count(double value) {
  if (!std::isfinite(value)) return unknown;
  const auto [number, prefix] = scale(std::abs(value));
  return (value < 0 ? "-" : "") + number + prefix;
}

std::string short_bytes(double bytes, const char* gap) {
  if (!std::isfinite(bytes) || bytes < 0) return unknown;
  const auto [number, prefix] = scale(bytes);
  return number + gap + prefix + "B";
}

std::string short_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return unknown;
  if (seconds < 0.0995) return fmt::format("{:.0f}ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  if (seconds > 1e9) return "over_30_years";
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::string grouped(std::uint64_t value) {
  auto digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string percent(double fraction, int digits) {
  return std::isfinite(fraction) ? fmt::format("{:.{}f}%", 100 * fraction, digits) : unknown;
}

std::string fixed(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : unknown;
}

std::string sparkline(std::span<const float> values, std::size_t columns) {
  static constexpr std::array<const char*, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto means = resample(values, columns);
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double mean : means) {
    if (std::isnan(mean)) continue;
    low = std::min(low, mean);
    high = std::max(high, mean);
  }
  std::string line;
  for (const double mean : means) {
    if (std::isnan(mean)) {
      line += ' ';
      continue;
    }
    const double height = high > low ? (mean - low) / (high - low) : 0;
    const auto last = blocks.size() - 1;
    line += blocks[static_cast<std::size_t>(std::lround(height * static_cast<double>(last)))];
  }
  return line;
}

std::string progress_bar(double fraction, std::size_t columns) {
  const double share = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(columns));
  std::string bar;
  for (std::size_t i = 0; i < columns; ++i)
    bar += i < full ? "█" : "░";
  return bar;
}

double eta_seconds(double done, double total, double elapsed_seconds) {
  if (!(done > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::max(0.0, total - done) * elapsed_seconds / done;
}

} // namespace gradmesh::tools
