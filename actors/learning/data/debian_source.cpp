#include "actors/learning/data/debian_source.hpp"

#include "actors/learning/data/dataset_file.hpp"
#include "actors/learning/data/debian_packages.hpp"

#include <optional>
#include <xxhash.h>

namespace gradmesh::learning {
namespace {

constexpr const char* lists_folder = "/var/lib/apt/lists";
/// Raised when the same lists give other examples than before.
constexpr int extraction_version = 1;
constexpr std::uint64_t available_bytes_max = std::uint64_t{1} << 30; // 50 MB in Debian 12
constexpr std::uint64_t cache_bytes_max = std::uint64_t{1} << 30;     // 6 MB in Debian 12

std::string hexadecimal(std::uint64_t value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; value >>= 4)
    text[i] = digits[value & 0xf];
  return text;
}

/// The cache file for the package lists as they are now; nothing when they cannot be seen.
std::optional<std::string> cache_path(const std::string& cache, env::disk& disk) {
  const auto files = disk.list(lists_folder);
  if (cache.empty() || !files) return std::nullopt;
  std::string identity = std::to_string(extraction_version);
  bool any = false;
  for (const auto& file : *files) {
    if (file.name.find("_Packages") == std::string::npos) continue;
    identity += '\n' + file.name + ' ' + std::to_string(file.bytes) + ' ' +
                std::to_string(file.modified_ns);
    any = true;
  }
  if (!any) return std::nullopt;
  return cache + "/debian-packages-" + hexadecimal(XXH3_64bits(identity.data(), identity.size())) +
         ".bin";
}

std::string describe(const split_dataset& data) {
  return std::to_string(data.train.size() + data.test.size()) + " Debian packages";
}

result<split_dataset> read_cache(const std::string& path, env::disk& disk) {
  const auto bytes = disk.read(path, cache_bytes_max);
  if (!bytes) return bytes.failure();
  return decode_dataset(*bytes);
}

result<split_dataset> parse_lists(const env::command_runner& commands) {
  const auto available = commands({"apt-cache", "dumpavail"}, available_bytes_max);
  if (available) return read_debian_packages(*available);
  error failure = available.failure();
  if (failure.code == errc::not_found)
    failure.text += "; format = debian-packages needs Debian's apt, choose another format and "
                    "name a file of yours as train";
  return failure;
}

} // namespace

result<loaded_data> load_debian_packages(const std::string& cache, env::disk& disk,
                                         const env::command_runner& commands) {
  const auto path = cache_path(cache, disk);
  std::string note;
  if (path && disk.exists(*path)) {
    auto cached = read_cache(*path, disk);
    if (cached) {
      std::string source = describe(*cached) + " from " + *path;
      return loaded_data{*std::move(cached), std::move(source)};
    }
    note = " (rebuilt: " + *path + " " + cached.failure().text + ")";
  }
  auto data = parse_lists(commands);
  if (!data) return data.failure();
  if (path) {
    auto kept = disk.create_directories(cache);
    if (kept) kept = disk.write(*path, encode_dataset(*data));
    if (!kept) note += " (not cached: " + kept.failure().text + ")";
  }
  std::string source = describe(*data) + " from the package lists" + note;
  return loaded_data{*std::move(data), std::move(source)};
}

} // namespace gradmesh::learning
