#include "config/value_types.hpp"

#include "config/diagnostic.hpp"
#include "config/ini_file.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>

namespace gradmesh::config {

namespace {

constexpr std::size_t name_bytes_max = 255; // schema/link.capnp: Hello.cluster, Hello.nodeName

/// The whole text as a number, or nothing.
template <class T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const auto end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '+' || c == '-';
}

bool contains(const real_range& range, double value) {
  return std::isfinite(value) && value >= range.min && value <= range.max &&
         !(range.min_open && value == range.min) && !(range.max_open && value == range.max);
}

} // namespace

error refused_value(const std::string& text, const std::string& accepts) {
  return {errc::invalid_argument, fmt::format("{} is not {}", quoted(text), accepts)};
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  if (trim(text).empty()) return parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find(',', begin), text.size());
    parts.emplace_back(trim(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

std::optional<std::uint64_t> parse_whole_number(const std::string& text, std::uint64_t min,
                                                std::uint64_t max) {
  const auto value = parse_number<std::uint64_t>(text);
  if (!value || *value < min || *value > max) return std::nullopt;
  return value;
}

value_type<int> position(int max) {
  const auto accepts = fmt::format("a position in 1..{0}, or in -{0}..-1 from the end", max);
  return {
      accepts,
      [=](const std::string& text) -> result<int> {
        const auto value = parse_number<int>(text);
        if (!value || *value == 0 || *value < -max || *value > max)
          return refused_value(text, accepts);
        return *value;
      },
      [](const int& value) { return std::to_string(value); },
  };
}

value_type<std::uint32_t> power_of_two(std::uint32_t min, std::uint32_t max) {
  const auto accepts = fmt::format("a power of two in {}..{}", min, max);
  return {
      accepts,
      [=](const std::string& text) -> result<std::uint32_t> {
        const auto value = parse_whole_number(text, min, max);
        if (!value || !std::has_single_bit(*value)) return refused_value(text, accepts);
        return static_cast<std::uint32_t>(*value);
      },
      [](const std::uint32_t& value) { return std::to_string(value); },
  };
}

value_type<double> real_number(const real_range& range) {
  const auto accepts =
      fmt::format("a number {} {} and {} {}", range.min_open ? "above" : "of at least", range.min,
                  range.max_open ? "below" : "at most", range.max);
  return {
      accepts,
      [=](const std::string& text) -> result<double> {
        const auto value = parse_number<double>(text);
        if (!value || !contains(range, *value)) return refused_value(text, accepts);
        return *value;
      },
      [](const double& value) { return fmt::format("{}", value); },
  };
}

value_type<bool> truth() {
  const std::string accepts = "true or false";
  return {
      accepts,
      [=](const std::string& text) -> result<bool> {
        if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
        if (text == "false" || text == "no" || text == "off" || text == "0") return false;
        return refused_value(text, accepts);
      },
      [](const bool& value) { return std::string(value ? "true" : "false"); },
  };
}

value_type<std::string> free_text(const std::string& what) {
  return {
      what,
      [](const std::string& text) -> result<std::string> { return text; },
      [](const std::string& value) { return value; },
  };
}

value_type<std::string> name_text(bool may_be_empty) {
  const auto accepts = fmt::format("a name of {}..{} letters, digits, '.', '_', '+' or '-'",
                                   may_be_empty ? 0 : 1, name_bytes_max);
  return {
      accepts,
      [=](const std::string& text) -> result<std::string> {
        if ((text.empty() && !may_be_empty) || text.size() > name_bytes_max ||
            !std::all_of(text.begin(), text.end(), is_name_character))
          return refused_value(text, accepts);
        return text;
      },
      [](const std::string& value) { return value; },
  };
}

value_type<std::vector<std::uint32_t>> number_list(std::uint32_t min, std::uint32_t max,
                                                   std::size_t count_max) {
  const auto accepts =
      fmt::format("a comma list of at most {} whole numbers in {}..{}", count_max, min, max);
  return {
      accepts,
      [=](const std::string& text) -> result<std::vector<std::uint32_t>> {
        const auto parts = split_list(text);
        if (parts.size() > count_max) return refused_value(text, accepts);
        std::vector<std::uint32_t> numbers;
        for (const auto& part : parts) {
          const auto number = parse_whole_number(part, min, max);
          if (!number) return refused_value(text, accepts);
          numbers.push_back(static_cast<std::uint32_t>(*number));
        }
        return numbers;
      },
      [](const std::vector<std::uint32_t>& numbers) {
        return fmt::format("{}", fmt::join(numbers, ","));
      },
  };
}

value_type<std::vector<rank_factor>> rank_factors(double max) {
  const auto factor = real_number({.min = 1, .max = max});
  const auto accepts = fmt::format("a comma list of RANK:FACTOR, as in 3:5,0:2.5, each rank at "
                                   "most once and each factor {}",
                                   factor.accepts);
  return {
      accepts,
      [=](const std::string& text) -> result<std::vector<rank_factor>> {
        std::vector<rank_factor> values;
        for (const auto& part : split_list(text)) {
          const auto colon = part.find(':');
          const auto rank = parse_number<std::uint32_t>(part.substr(0, colon));
          if (colon == std::string::npos || !rank) return refused_value(text, accepts);
          const auto times = factor.parse(part.substr(colon + 1));
          const bool repeated =
              std::ranges::find(values, *rank, &rank_factor::rank) != values.end();
          if (!times || repeated) return refused_value(text, accepts);
          values.push_back({*rank, *times});
        }
        return values;
      },
      [=](const std::vector<rank_factor>& values) {
        std::string text;
        for (const auto& [rank, times] : values)
          text += fmt::format("{}{}:{}", text.empty() ? "" : ",", rank, factor.format(times));
        return text;
      },
  };
}

value_type<endpoint> address(bool any_port) {
  const std::string accepts =
      any_port ? "HOST:PORT, port 0 for any free one" : "HOST:PORT with a port in 1..65535";
  return {
      accepts,
      [=](const std::string& text) -> result<endpoint> {
        auto parsed = parse_endpoint(text);
        if (parsed && parsed->port == 0 && !any_port) return refused_value(text, accepts);
        return parsed;
      },
      [](const endpoint& value) { return to_string(value); },
  };
}

value_type<std::optional<endpoint>> optional_address(bool any_port) {
  const auto required = address(any_port);
  return {
      required.accepts,
      [parse = required.parse](const std::string& text) -> result<std::optional<endpoint>> {
        if (text.empty()) return std::optional<endpoint>();
        auto parsed = parse(text);
        if (!parsed) return parsed.failure();
        return std::optional(std::move(*parsed));
      },
      [](const std::optional<endpoint>& value) { return value ? to_string(*value) : ""; },
  };
}

} // namespace gradmesh::config
