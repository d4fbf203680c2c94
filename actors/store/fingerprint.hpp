#pragma once

/// A name for the exact parameters of a model, by which two runs are compared bit for bit.

#include "actors/error.hpp"
#include "actors/store/model_content.hpp"

#include <string>

namespace gradmesh::store {

/// 64 hexadecimal digits: SHA-256 over, for each table in declaration order, the length of its name
/// (UInt64), the name, kind (UInt8), width (UInt64), and then its values as Float32 (dense) or the
/// number of rows (UInt64) and for each row in ascending key order key (UInt64) and values
/// (sparse); all little-endian. Does not depend on how the parameters were spread over shards.
///
/// `content` has passed `check_model`. `errc::io_failed` if OpenSSL cannot hash.
result<std::string> parameters_sha256(const model_content& content);

} // namespace gradmesh::store
