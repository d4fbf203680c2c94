#pragma once

/// A folder for the files of a benchmark; it goes with the object.

#include "actors/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace gradmesh::tools::bench {

class scratch_folder {
public:
  /// Errors: `io_failed`.
  static result<scratch_folder> make() {
    auto name = (std::filesystem::temp_directory_path() / "gradmesh-bench-XXXXXX").string();
    if (!mkdtemp(name.data()))
      return {errc::io_failed, "cannot make a folder in " +
                                   std::filesystem::temp_directory_path().string() + ": " +
                                   std::strerror(errno)};
    return scratch_folder(name);
  }
  scratch_folder(scratch_folder&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  scratch_folder& operator=(scratch_folder&&) = delete;
  ~scratch_folder() {
    std::error_code ignored; // left-overs are no reason to fail
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const std::string& file) const { return (folder_ / file).string(); }

private:
  explicit scratch_folder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
};

} // namespace gradmesh::tools::bench
