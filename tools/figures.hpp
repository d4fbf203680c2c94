#pragma once

/// Numbers the way people read them. What is unknown (NaN, infinite) is shown as "-".

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gradmesh::tools {

/// Three digits and a decimal prefix: "999", "12.3k", "1.23M".
std::string short_count(double value);

/// "812 B", "57.3 MB" (decimal prefixes); `gap` stands between number and unit.
std::string short_bytes(double bytes, const char* gap = " ");

/// "35ms", "12.4s", "1m05s", "2h03m", "3d04h".
std::string short_duration(double seconds);

/// All digits: "1,234,567".
std::string grouped(std::uint64_t value);

/// "87.13%" for 0.8713 and two digits.
std::string percent(double fraction, int digits);

/// A number with so many digits after the point.
std::string fixed(double value, int digits);

/// A curve as `columns` block characters or fewer, from the least value (low) to the greatest
/// (high). More values than columns are averaged in equal parts; a value that is not finite leaves
/// a gap.
std::string sparkline(std::span<const float> values, std::size_t columns);

/// "█████░░░░░": `fraction` in [0, 1] of so many columns.
std::string progress_bar(double fraction, std::size_t columns);

/// Seconds until `total` at the mean pace so far; NaN before anything is done.
double eta_seconds(double done, double total, double elapsed_seconds);

} // namespace gradmesh::tools
