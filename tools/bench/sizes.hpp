#pragma once

#include "actors/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::tools::bench {

/// "64,4K,1M": whole numbers with a unit of 1024 bytes (K, M, G), each in 1..`bytes_max`.
/// Errors: `invalid_argument`; the text begins with the quoted part that is wrong.
result<std::vector<std::uint64_t>> parse_sizes(const std::string& text, std::uint64_t bytes_max);

} // namespace gradmesh::tools::bench
