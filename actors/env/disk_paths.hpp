#pragma once

/// INTERNAL to disks, real and made: a path taken apart, and what they say of one in the same
/// words.

#include "actors/error.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::env {

/// "a/b/c" -> "a/b", "c" -> ".", "/c" -> "/".
std::string folder_of(const std::string& path);
/// "a/b/c" -> "c".
std::string name_of(const std::string& path);

/// `not_found`. `what` was to be done: "open".
error no_such(const char* what, const std::string& path);
/// `io_failed`: `bytes` at `offset` were asked for of a file of `size`.
error ends_before(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
                  std::uint64_t size);

} // namespace gradmesh::env
