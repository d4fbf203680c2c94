#include "actors/env/memory_disk.hpp"

namespace gradmesh::env {
namespace {

/// "a/b/c" -> "a/b", "c" -> ".", "/c" -> "/".
std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

result<std::string> memory_disk::read(const std::string& path, std::uint64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end())
    return {errc::not_found, "cannot open '" + path + "': No such file or directory"};
  if (found->second.bytes.size() > bytes_max)
    return {errc::limit_exceeded, "cannot read '" + path + "': it is longer than the limit of " +
                                      std::to_string(bytes_max) + " bytes"};
  return found->second.bytes;
}

result<void> memory_disk::write(const std::string& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  const std::string folder = folder_of(path);
  if (folder != "." && folder != "/" && !directories_.contains(folder))
    return {errc::io_failed, "cannot create '" + path + "': No such file or directory"};
  files_[path] = {std::string(bytes), ++writes_};
  return {};
}

bool memory_disk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return files_.contains(path) || directories_.contains(path);
}

result<void> memory_disk::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (std::string folder = path; folder != "." && folder != "/"; folder = folder_of(folder)) {
    if (files_.contains(folder))
      return {errc::io_failed, "cannot create folder '" + path + "': Not a directory"};
    directories_.insert(folder);
  }
  return {};
}

result<std::vector<file_info>> memory_disk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (directory != "." && directory != "/" && !directories_.contains(directory))
    return {errc::not_found, "cannot list folder '" + directory + "': No such file or directory"};
  std::vector<file_info> files;
  for (const auto& [path, content] : files_)
    if (folder_of(path) == directory)
      files.push_back(
          {path.substr(path.rfind('/') + 1), content.bytes.size(), content.modified_ns});
  return files;
}

} // namespace gradmesh::env
