#include "actors/env/disk_paths.hpp"

namespace gradmesh::env {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

error no_such(const char* what, const std::string& path) {
  return {errc::not_found,
          "cannot " + std::string(what) + " '" + path + "': No such file or directory"};
}

error ends_before(const std::string& path, std::uint64_t offset, std::uint64_t bytes,
                  std::uint64_t size) {
  return {errc::io_failed, "cannot read " + std::to_string(bytes) + " bytes at " +
                               std::to_string(offset) + " of '" + path + "': it has " +
                               std::to_string(size)};
}

} // namespace gradmesh::env
