#pragma once

/// Enumerations that have a spelling in configuration files. Such an enumeration E declares
/// `name_list<E> names_of(E)` beside itself; parsing, dumping, help and messages all use that list.

#include <span>
#include <string_view>

namespace gradmesh::config {

template <class E>
struct enum_name {
  E value;
  std::string_view name;
};

template <class E>
using name_list = std::span<const enum_name<E>>;

/// The spelling of a value; empty for a number that is none of E's values.
template <class E>
requires requires(E e) {
  names_of(e);
}
std::string_view to_string(E value) {
  for (const auto& entry : names_of(value))
    if (entry.value == value) return entry.name;
  return {};
}

} // namespace gradmesh::config
