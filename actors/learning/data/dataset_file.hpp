#pragma once

/// INTERNAL to `learning/data`: a `split_dataset` as the bytes of a cache file. In the byte order
/// of the machine: a cache does not travel.
///
///   magic and version, 8 bytes | XXH3-64 of the rest | classes, features, layout
///   class names, each as length and bytes | train | test
///   a part: rows, entries, labels, (sparse: offsets, indices,) values
///
/// Numbers are uint64 where nothing else is said by the types of `dataset`.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"

#include <string>
#include <string_view>

namespace gradmesh::learning {

std::string encode_dataset(const split_dataset& data);

/// Errors: `malformed_data` for anything that `encode_dataset` did not write: another version, a
/// wrong checksum, lengths that do not fit, labels or indices out of range, values that are
/// not finite.
result<split_dataset> decode_dataset(std::string_view bytes);

} // namespace gradmesh::learning
