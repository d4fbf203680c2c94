#include "actors/learning/data/text.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace gradmesh::learning {
namespace {

constexpr std::size_t quoted_chars_max = 40;
/// Doubles hold every integer up to here.
constexpr double exact_integer_max = 9007199254740992.0; // 2^53

/// `std::from_chars` knows no plus sign.
std::string_view without_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return plus ? text.substr(1) : text;
}

float to_float(const char* text) {
  return std::strtof(text, nullptr);
}
double to_double(const char* text) {
  return std::strtod(text, nullptr);
}

/// The nearest number; infinity for one that is too large.
template <class Float>
std::optional<Float> parse_number(std::string_view text, Float (*fallback)(const char*)) {
  text = without_plus(text);
  Float value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ptr != end) return std::nullopt;
  // Too large or too small: the C library tells which, from_chars does not.
  if (parsed.ec == std::errc::result_out_of_range) return fallback(std::string(text).c_str());
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

} // namespace

std::optional<std::string_view> line_scanner::next() {
  if (rest_.empty()) return std::nullopt;
  const auto end = rest_.find('\n');
  std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  ++number_;
  return line;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

result<float> parse_value(std::string_view text) {
  const auto value = parse_number<float>(text, to_float);
  if (!value) return {errc::malformed_data, quoted(text) + " is not a number"};
  if (!std::isfinite(*value))
    return {errc::malformed_data, quoted(text) + " is not a finite 32-bit float"};
  return *value;
}

result<std::int64_t> parse_label(std::string_view text) {
  const std::string_view digits = without_plus(text);
  const char* end = digits.data() + digits.size();
  std::int64_t label = 0;
  const auto parsed = std::from_chars(digits.data(), end, label);
  if (parsed.ec == std::errc{} && parsed.ptr == end) return label;

  const auto value = parse_number<double>(text, to_double);
  if (!value || !std::isfinite(*value) || *value != std::floor(*value))
    return {errc::malformed_data, "label " + quoted(text) + " is not an integer"};
  if (std::fabs(*value) > exact_integer_max)
    return {errc::malformed_data, "label " + quoted(text) + " is too large"};
  return static_cast<std::int64_t>(*value);
}

std::string quoted(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, quoted_chars_max))
    shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (text.size() > quoted_chars_max ? "...'" : "'");
}

} // namespace gradmesh::learning
