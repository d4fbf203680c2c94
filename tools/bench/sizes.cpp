#include "tools/bench/sizes.hpp"

#include "config/value_types.hpp"

#include <charconv>

namespace gradmesh::tools::bench {
namespace {

/// Bits to shift by, or -1.
int unit_of(std::string_view suffix) {
  if (suffix.empty()) return 0;
  if (suffix == "K") return 10;
  if (suffix == "M") return 20;
  return suffix == "G" ? 30 : -1;
}

} // namespace

result<std::vector<std::uint64_t>> parse_sizes(const std::string& text, std::uint64_t bytes_max) {
  std::vector<std::uint64_t> sizes;
  for (const auto& part : config::split_list(text)) {
    const char* end = part.data() + part.size();
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(part.data(), end, number);
    const int unit = unit_of({parsed.ptr, end});
    if (parsed.ec != std::errc{} || unit < 0 || number == 0 || number > bytes_max >> unit)
      return config::refused_value(part,
                                   "a size like 64, 4K or 16M, in 1.." + std::to_string(bytes_max));
    sizes.push_back(number << unit);
  }
  if (sizes.empty()) return config::refused_value(text, "a list of sizes like 64,4K,16M");
  return sizes;
}

} // namespace gradmesh::tools::bench
