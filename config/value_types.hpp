#pragma once

/// What an option can hold: how its text is read, checked and written, and the words that describe
/// it in samples and messages. One `value_type` is one type with its limits.
///
/// Errors of `parse`: `errc::invalid_argument`; the text begins with the quoted value, e.g.
/// "'abc' is not a whole number in 1..100000".

#include "actors/error.hpp"
#include "config/endpoint.hpp"
#include "config/enum_names.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace gradmesh::config {

template <class T>
struct value_type {
  /// Reads as the end of "this accepts ...": "a whole number in 1..100000".
  std::string accepts;
  std::function<result<T>(const std::string&)> parse;
  /// The canonical text, which `parse` reads back to an equal value.
  std::function<std::string(const T&)> format;
};

/// "'abc' is not a whole number in 1..100000".
error refused_value(const std::string& text, const std::string& accepts);

/// The parts between commas, without the blanks around them; none for a blank text.
std::vector<std::string> split_list(const std::string& text);

/// Decimal digits, min <= value <= max.
std::optional<std::uint64_t> parse_whole_number(const std::string& text, std::uint64_t min,
                                                std::uint64_t max);

/// A count of Unit in whole numbers, min <= value <= max. T is an unsigned integer or a
/// std::chrono::duration; the limits must fit in T.
template <class T>
value_type<T> whole_number(std::uint64_t min, std::uint64_t max, const std::string& unit = "") {
  auto accepts = "a whole number in " + std::to_string(min) + ".." + std::to_string(max);
  if (!unit.empty()) accepts += " (" + unit + ")";
  return {
      accepts,
      [=](const std::string& text) -> result<T> {
        const auto number = parse_whole_number(text, min, max);
        if (!number) return refused_value(text, accepts);
        return static_cast<T>(*number);
      },
      [](const T& value) {
        if constexpr (std::is_integral_v<T>)
          return std::to_string(value);
        else
          return std::to_string(value.count());
      },
  };
}

/// A place in a row: 1..max from its beginning, -1..-max from its end.
value_type<int> position(int max);

/// A power of two, min <= value <= max.
value_type<std::uint32_t> power_of_two(std::uint32_t min, std::uint32_t max);

/// Decimal or scientific, finite. The bounds are limits that a value may reach, except for an open
/// one.
struct real_range {
  double min = 0;
  double max = 0;
  bool min_open = false;
  bool max_open = false;
};
value_type<double> real_number(const real_range& range);

/// true, false; also read: yes, no, on, off, 1, 0.
value_type<bool> truth();

/// Any text, also none. `what` describes it: "a path".
value_type<std::string> free_text(const std::string& what);

/// At most 255 letters, digits, '.', '_', '+' or '-': fits a table cell, a file name and the
/// handshake between nodes. `may_be_empty`: the name is made up elsewhere then.
value_type<std::string> name_text(bool may_be_empty);

/// At most `count_max` whole numbers, separated by commas.
value_type<std::vector<std::uint32_t>> number_list(std::uint32_t min, std::uint32_t max,
                                                   std::size_t count_max);

/// A factor for one rank of many.
struct rank_factor {
  std::uint32_t rank = 0;
  double factor = 1;

  bool operator==(const rank_factor&) const = default;
};
/// A comma list of RANK:FACTOR with different ranks; 1 <= factor <= max.
value_type<std::vector<rank_factor>> rank_factors(double max);

/// HOST:PORT. With `any_port`, port 0 stands for any free port.
value_type<endpoint> address(bool any_port);

/// The same, or empty for none.
value_type<std::optional<endpoint>> optional_address(bool any_port);

/// "bsp, async".
template <class E>
std::string list_names() {
  std::string names;
  for (const auto& entry : names_of(E{}))
    names.append(names.empty() ? "" : ", ").append(entry.name);
  return names;
}

template <class E>
std::optional<E> parse_enum(const std::string& text) {
  for (const auto& entry : names_of(E{}))
    if (entry.name == text) return entry.value;
  return std::nullopt;
}

/// One name of an enumeration.
template <class E>
value_type<E> one_of() {
  auto accepts = "one of " + list_names<E>();
  return {
      accepts,
      [=](const std::string& text) -> result<E> {
        if (const auto value = parse_enum<E>(text)) return *value;
        return refused_value(text, accepts);
      },
      [](const E& value) { return std::string(to_string(value)); },
  };
}

/// Names of an enumeration without repeats, separated by commas.
template <class E>
value_type<std::vector<E>> some_of() {
  auto accepts = "a comma list of " + list_names<E>() + ", each at most once";
  return {
      accepts,
      [=](const std::string& text) -> result<std::vector<E>> {
        std::vector<E> values;
        for (const auto& part : split_list(text)) {
          const auto value = parse_enum<E>(part);
          if (!value || std::find(values.begin(), values.end(), *value) != values.end())
            return refused_value(text, accepts);
          values.push_back(*value);
        }
        return values;
      },
      [](const std::vector<E>& values) {
        std::string text;
        for (const auto value : values)
          text.append(text.empty() ? "" : ",").append(to_string(value));
        return text;
      },
  };
}

} // namespace gradmesh::config
