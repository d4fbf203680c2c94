#include "tests/fuzz/mutation.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace gradmesh::fuzz {
namespace {

constexpr std::uint64_t changes_max = 8;
constexpr std::uint64_t piece_bytes_max = 64;
/// Repeated pieces must not make inputs grow without end.
constexpr std::size_t input_bytes_max = 64u << 10;

constexpr std::array<std::uint64_t, 10> edges{0,
                                              1,
                                              0x7f,
                                              0xff,
                                              0x7fff,
                                              0xffff,
                                              0x7fffffff,
                                              0xffffffff,
                                              0x7fffffffffffffff,
                                              ~std::uint64_t{0}};

struct piece {
  std::size_t at = 0;
  std::size_t bytes = 0;
};

piece pick_piece(const std::string& of, env::random_stream& random) {
  if (of.empty()) return {};
  const auto at = random.below(of.size());
  return {at, 1 + random.below(std::min<std::uint64_t>(piece_bytes_max, of.size() - at))};
}

void write_number(std::string& input, std::uint64_t value, env::random_stream& random) {
  const std::size_t bytes = std::size_t{1} << random.below(4);
  if (input.size() < bytes) return;
  // Numbers of binary formats are aligned more often than not.
  auto at = random.below(input.size() - bytes + 1);
  if (random.below(2) == 0) at = at / bytes * bytes;
  const bool big_endian = random.below(4) == 0;
  for (std::size_t i = 0; i < bytes; ++i)
    input[at + i] = static_cast<char>(value >> 8 * (big_endian ? bytes - 1 - i : i));
}

void change(std::string& input, const std::string& other, env::random_stream& random) {
  const auto here = pick_piece(input, random);
  switch (random.below(8)) {
  case 0:
    if (!input.empty()) input[here.at] = static_cast<char>(random.next());
    break;
  case 1:
    if (!input.empty()) input[here.at] = static_cast<char>(input[here.at] ^ 1 << random.below(8));
    break;
  case 2:
    write_number(input, edges[random.below(edges.size())], random);
    break;
  case 3: // close to the number or digit that stands there
    if (!input.empty())
      input[here.at] = static_cast<char>(input[here.at] + (random.below(2) ? 1 : -1));
    break;
  case 4:
    input.erase(here.at, here.bytes);
    break;
  case 5:
    if (input.size() < input_bytes_max)
      input.insert(random.below(input.size() + 1), input.substr(here.at, here.bytes));
    break;
  case 6: {
    const auto there = pick_piece(other, random);
    input.replace(here.at, here.bytes, other, there.at, there.bytes);
    break;
  }
  default:
    // Cut off anywhere, but not so often that little else is tried.
    if (random.below(4) == 0) input.resize(here.at);
  }
}

} // namespace

std::string mutate(const std::vector<std::string>& seeds, env::random_stream& random) {
  auto input = seeds[random.below(seeds.size())];
  // Few changes more often than many: most fields are read only if those before them are right.
  for (auto left = 1 + random.below(1 + random.below(changes_max)); left > 0; --left)
    change(input, seeds[random.below(seeds.size())], random);
  return input;
}

} // namespace gradmesh::fuzz
