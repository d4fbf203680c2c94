#include "actors/env/random.hpp"

#include <random>

namespace gradmesh::env {

std::uint64_t entropy() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

} // namespace gradmesh::env
