#include "tools/record_files.hpp"

#include <algorithm>

namespace gradmesh::tools {
namespace {

constexpr std::uint64_t log_bytes_max = std::uint64_t{64} << 30;

/// FILE of "FILE.17"; the path itself where it does not end so.
std::string base_of(const std::string& path) {
  const auto dot = path.rfind('.');
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (dot == std::string::npos || dot + 1 == path.size() ||
      !std::all_of(path.begin() + static_cast<std::ptrdiff_t>(dot) + 1, path.end(), is_digit))
    return path;
  return path.substr(0, dot);
}

} // namespace

result<record_files> record_files::read(const std::vector<std::string>& paths, env::disk& disk) {
  record_files files;
  if (paths.size() > 1) {
    for (const auto& path : paths)
      if (auto added = files.add(path, disk); !added) return added.failure();
    return files;
  }
  const auto base = base_of(paths.front());
  // The first must be there; that none is missing behind the last is seen by the plan.
  for (std::size_t shard = 0;; ++shard) {
    const auto path = base + "." + std::to_string(shard);
    if (shard > 0 && !disk.exists(path)) return files;
    if (auto added = files.add(path, disk); !added) return added.failure();
  }
}

result<void> record_files::add(const std::string& path, env::disk& disk) {
  auto bytes = disk.read(path, log_bytes_max);
  if (!bytes) return bytes.failure();
  contents_.push_back(std::move(*bytes));
  logs_.push_back({path, contents_.back()});
  return {};
}

std::uint64_t record_files::bytes() const {
  std::uint64_t all = 0;
  for (const auto& content : contents_)
    all += content.size();
  return all;
}

} // namespace gradmesh::tools
