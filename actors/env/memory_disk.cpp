#include "actors/env/memory_disk.hpp"

#include "actors/env/disk_paths.hpp"

#include <algorithm>

namespace gradmesh::env {
class memory_disk::appender final : public growing_file {
public:
  appender(memory_disk& of, std::string path) : disk_(of), path_(std::move(path)) {}

  result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    const auto fits = std::min<std::uint64_t>(bytes.size(), disk_.space_left_);
    disk_.space_left_ -= fits;
    auto& file = disk_.files_[path_];
    file.bytes += bytes.substr(0, fits);
    file.modified_ns = ++disk_.writes_;
    if (fits == bytes.size()) return {};
    return {errc::io_failed, "cannot write '" + path_ + "': No space left on device"};
  }
  result<void> sync() override { return {}; }

private:
  memory_disk& disk_;
  std::string path_;
};

result<std::string> memory_disk::read(const std::string& path, std::uint64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return no_such("open", path);
  if (found->second.bytes.size() > bytes_max)
    return {errc::limit_exceeded, "cannot read '" + path + "': it is longer than the limit of " +
                                      std::to_string(bytes_max) + " bytes"};
  return found->second.bytes;
}

result<std::string> memory_disk::read_part(const std::string& path, std::uint64_t offset,
                                           std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return no_such("open", path);
  const auto& all = found->second.bytes;
  if (offset > all.size() || bytes > all.size() - offset)
    return ends_before(path, offset, bytes, all.size());
  return all.substr(offset, bytes);
}

result<void> memory_disk::write(const std::string& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  const std::string folder = folder_of(path);
  if (folder != "." && folder != "/" && !directories_.contains(folder))
    return {errc::io_failed, "cannot create '" + path + "': No such file or directory"};
  files_[path] = {std::string(bytes), ++writes_};
  return {};
}

result<std::unique_ptr<growing_file>> memory_disk::create(const std::string& path) {
  if (auto emptied = write(path, ""); !emptied) return emptied.failure();
  return std::unique_ptr<growing_file>(std::make_unique<appender>(*this, path));
}

result<std::unique_ptr<growing_file>> memory_disk::reopen(const std::string& path,
                                                          std::uint64_t keep) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return no_such("open", path);
  auto& kept = found->second;
  if (keep > kept.bytes.size()) return ends_before(path, 0, keep, kept.bytes.size());
  kept.bytes.resize(keep);
  kept.modified_ns = ++writes_;
  return std::unique_ptr<growing_file>(std::make_unique<appender>(*this, path));
}

result<void> memory_disk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (files_.erase(path) > 0) return {};
  if (!directories_.contains(path)) return no_such("remove", path);
  const auto inside = [&](const std::string& name) { return folder_of(name) == path; };
  if (std::ranges::any_of(directories_, inside) ||
      std::ranges::any_of(files_, [&](const auto& entry) { return inside(entry.first); }))
    return {errc::io_failed, "cannot remove '" + path + "': Directory not empty"};
  directories_.erase(path);
  return {};
}

void memory_disk::set_space_left(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  space_left_ = bytes;
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
    return no_such("list folder", directory);
  std::vector<file_info> files;
  for (const auto& [path, content] : files_)
    if (folder_of(path) == directory)
      files.push_back({name_of(path), content.bytes.size(), content.modified_ns});
  return files;
}

result<std::vector<std::string>> memory_disk::list_folders(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (directory != "." && directory != "/" && !directories_.contains(directory))
    return no_such("list folder", directory);
  std::vector<std::string> names;
  for (const auto& path : directories_)
    if (folder_of(path) == directory) names.push_back(name_of(path));
  return names;
}

} // namespace gradmesh::env
