#pragma once

/// Saved models as bytes. The format is specified in schema/model.capnp.
///
/// A file that is truncated, has any bit flipped, or claims sizes that do not add up is refused
/// before anything of the claimed size is allocated. Files themselves are the caller's, by
/// `env::disk`.

#include "actors/error.hpp"
#include "actors/store/model_content.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::store {

inline constexpr std::uint32_t model_format_version = 1;
inline constexpr std::uint64_t model_header_bytes_max = 16U << 20;

/// The model as a file. `errc::invalid_argument` if the content does not fit its tables
/// (`check_model`) or its texts come to more than `model_header_bytes_max`.
result<std::vector<std::byte>> write_model(const model_content& content);

/// The model in a file. `errc::malformed_model`, with what is wrong, for bytes that `write_model`
/// does not make.
result<model_content> read_model(std::span<const std::byte> bytes);

} // namespace gradmesh::store
