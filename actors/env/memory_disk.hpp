#pragma once

/// A disk in memory, for tests: same interface, same errors, nothing outside the process.
/// Paths are compared as text. It outlives its growing files. A folder exists once
/// `create_directories` made it or one below it.

#include "actors/env/disk.hpp"

#include <map>
#include <mutex>
#include <set>

namespace gradmesh::env {

class memory_disk final : public disk {
public:
  result<std::string> read(const std::string& path, std::uint64_t bytes_max) override;
  result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                std::uint64_t bytes) override;
  result<void> write(const std::string& path, std::string_view bytes) override;
  result<std::unique_ptr<growing_file>> create(const std::string& path) override;
  result<std::unique_ptr<growing_file>> reopen(const std::string& path,
                                               std::uint64_t keep) override;
  result<void> remove(const std::string& path) override;
  bool exists(const std::string& path) override;
  result<void> create_directories(const std::string& path) override;
  result<std::vector<file_info>> list(const std::string& directory) override;
  result<std::vector<std::string>> list_folders(const std::string& directory) override;

  /// Only so many more bytes can be appended to growing files; then the disk is full.
  void set_space_left(std::uint64_t bytes);

private:
  class appender;
  struct file {
    std::string bytes;
    std::int64_t modified_ns = 0;
  };

  std::mutex mutex_;
  std::map<std::string, file> files_;
  std::set<std::string> directories_;
  std::uint64_t space_left_ = ~std::uint64_t{0};
  std::int64_t writes_ = 0; // stands in for the time of a write
};

} // namespace gradmesh::env
