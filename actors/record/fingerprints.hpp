#pragma once

/// Small numbers that tell values from others, for the clock log.

#include "actors/parameters/partition_content.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace gradmesh::record {

/// What tells one gradient from another at little cost: XXH3 of the first and the last 256 bytes.
std::uint32_t sample_of(std::span<const std::byte> values);

/// XXH3-64 of the dense values, and then of each sparse table's keys and rows, each seeded with the
/// one before.
std::uint64_t hash_of(const parameters::partition_content& content);

} // namespace gradmesh::record
