#pragma once

/// Numbers as the files of this project hold them: little-endian, as in memory.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace gradmesh::store {

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// `bytes` have a whole number at `at`.
template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

} // namespace gradmesh::store
