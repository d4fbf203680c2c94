#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace gradmesh::tools::bench {

/// Reads a number of each cache line, as somebody who uses the bytes would have to.
inline void touch_all(std::span<const std::byte> bytes) {
  constexpr std::size_t cache_line = 64;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + sizeof sum <= bytes.size(); at += cache_line) {
    std::uint64_t number;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    sum += number;
  }
  // The compiler must not find out that nobody wants the sum.
  asm volatile("" : : "r"(sum));
}

} // namespace gradmesh::tools::bench
