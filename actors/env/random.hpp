#pragma once

/// Random numbers that are the same on every machine for the same seed (the standard library's
/// distributions are not), and the one place where a seed comes from outside.

#include <cstdint>

namespace gradmesh::env {

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class random_stream {
public:
  explicit random_stream(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound) up to a bias of bound / 2^64; bound is at least 1.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

private:
  std::uint64_t state_;
};

/// From the operating system.
std::uint64_t entropy();

} // namespace gradmesh::env
