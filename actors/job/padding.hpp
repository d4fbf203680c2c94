#pragma once

#include <cstddef>

namespace gradmesh::job {

/// The parts of a body begin at multiples of 8 bytes, so that each can be read where it lies.
constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + 7) / 8 * 8;
}

} // namespace gradmesh::job
