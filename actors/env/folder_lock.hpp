#pragma once

/// A folder that one process has for itself.

#include "actors/error.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gradmesh::env {

/// Until it ends, by its destructor or with its process, however that dies.
class held_folder {
public:
  virtual ~held_folder() = default;
};

/// Takes the folder, which must exist, by a file `lock` in it that stays there. Errors: `refused`
/// (another process has it; the text says which), `io_failed`.
result<std::unique_ptr<held_folder>> lock_folder(const std::string& folder);

using folder_locker = std::function<result<std::unique_ptr<held_folder>>(const std::string&)>;

} // namespace gradmesh::env
