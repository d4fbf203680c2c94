#pragma once

/// Manifests and the headers of chunk files as bytes. The formats are specified in
/// schema/checkpoint.capnp.
///
/// Bytes with any bit flipped, or cut off, are refused before anything of a claimed size is
/// allocated. A newer format, whole, is told from damage.

#include "actors/store/checkpoint_manifest.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace gradmesh::store {

inline constexpr std::uint64_t checkpoint_format_version = 1;
inline constexpr std::uint64_t chunk_header_bytes = 40;
inline constexpr std::uint64_t manifest_bytes_max = std::uint64_t{512} << 20;
inline constexpr std::size_t checkpoint_tables_max = 65536;

/// `invalid_argument` if the manifest is not sound (`check_manifest`) or longer than
/// `manifest_bytes_max`.
result<std::string> encode_manifest(const checkpoint_manifest& manifest);

/// `malformed_data` for bytes that `encode_manifest` does not make, `refused` for a newer format.
result<checkpoint_manifest> decode_manifest(std::string_view bytes);

/// The first `chunk_header_bytes` bytes of a file of chunks.
std::string encode_chunk_header(const chunk_file& file);

/// `malformed_data` if these are not the first bytes of that file, `refused` for a newer format.
result<void> check_chunk_header(std::string_view bytes, const chunk_file& file);

} // namespace gradmesh::store
