#pragma once

/// Files that may be gzip-compressed (RFC 1952; several members one after another too).

#include "actors/error.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::learning {

/// `bytes` as they are, or inflated if they begin with the gzip magic 1f 8b. Errors:
/// `malformed_data` (damaged or cut off, with the byte), `limit_exceeded` (inflates to more than
/// `bytes_max`).
result<std::string> inflate_if_gzip(std::string bytes, const std::string& name,
                                    std::uint64_t bytes_max);

} // namespace gradmesh::learning
