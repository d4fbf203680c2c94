#pragma once

/// Files that are written once and never replaced, such as keys. The disk of disk.hpp replaces.

#include "actors/error.hpp"

#include <string>
#include <string_view>

namespace gradmesh::env {

/// Who may read the file: its owner alone, or everybody.
enum class file_access { owner, everybody };

/// Creates the file. A crash leaves it whole or absent; on return its bytes and its name are on the
/// medium. The folder must exist. Errors: `invalid_argument` (something of this name is there,
/// which stays as it is), `io_failed`.
result<void> write_new_file(const std::string& path, std::string_view bytes, file_access access);

} // namespace gradmesh::env
