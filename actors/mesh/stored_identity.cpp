#include "actors/mesh/stored_identity.hpp"

#include <charconv>
#include <cstring>
#include <limits>

namespace gradmesh::mesh {
namespace {

constexpr std::uint64_t file_bytes_max = 4096;

/// Each step is a bijection of the state, so one changed byte always changes the sum.
std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char byte : bytes)
    sum = (sum ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3U;
  return sum;
}

std::string hex(std::uint64_t number) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (int i = 15; i >= 0; --i, number >>= 4)
    text[static_cast<std::size_t>(i)] = digits[number & 15];
  return text;
}

/// Takes `begin` off the text. False if it does not begin so.
bool skip(std::string_view& text, std::string_view begin) {
  if (!text.starts_with(begin)) return false;
  text.remove_prefix(begin.size());
  return true;
}

bool take_number(std::string_view& text, int base, std::uint64_t& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (read.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return true;
}

} // namespace

node_identity draw_identity(const std::function<std::uint64_t()>& entropy) {
  node_identity identity;
  const std::uint64_t halves[2] = {entropy(), entropy()};
  std::memcpy(identity.uuid.data(), halves, sizeof halves);
  identity.incarnation = 1;
  return identity;
}

std::string identity_text(const node_identity& identity) {
  std::uint64_t halves[2];
  std::memcpy(halves, identity.uuid.data(), sizeof halves);
  auto text = "gradmesh-identity 1\nuuid " + hex(halves[0]) + hex(halves[1]) + "\nincarnation " +
              std::to_string(identity.incarnation) + "\n";
  return text + "checksum " + hex(fnv1a(text)) + "\n";
}

std::optional<node_identity> parse_identity(std::string_view text) {
  auto rest = text;
  std::uint64_t halves[2] = {};
  node_identity identity;
  if (!skip(rest, "gradmesh-identity 1\nuuid ") || rest.size() < 32) return std::nullopt;
  for (auto& half : halves) {
    auto digits = rest.substr(0, 16);
    if (!take_number(digits, 16, half) || !digits.empty()) return std::nullopt;
    rest.remove_prefix(16);
  }
  if (!skip(rest, "\nincarnation ") || !take_number(rest, 10, identity.incarnation))
    return std::nullopt;
  std::memcpy(identity.uuid.data(), halves, sizeof halves);
  // Checks the sum too, and that nothing follows.
  if (identity.incarnation == 0 || text != identity_text(identity)) return std::nullopt;
  return identity;
}

result<node_identity> begin_life(env::disk& disk, const std::string& folder,
                                 const std::function<std::uint64_t()>& entropy, rule_set rules) {
  const auto path = folder + "/identity";
  auto identity = draw_identity(entropy);
  if (disk.exists(path)) {
    const auto text = disk.read(path, file_bytes_max);
    if (!text && text.failure().code != errc::limit_exceeded) return text.failure();
    const auto stored = text ? parse_identity(*text) : std::nullopt;
    if (!stored)
      return error{errc::malformed_data,
                   "'" + path +
                       "' is damaged: it does not say which node this is. Restore it "
                       "from a backup, or delete the folder '" +
                       folder +
                       "': the node then joins as a new one, and what it held before is "
                       "taken from others"};
    if (stored->incarnation == std::numeric_limits<std::uint64_t>::max())
      return error{errc::limit_exceeded,
                   "'" + path +
                       "' has the last incarnation that there is; "
                       "delete the folder, so that the node joins as a new one"};
    identity = {stored->uuid,
                stored->incarnation + (rules.keeps(rule::incarnation_raised) ? 1 : 0)};
  }
  if (auto written = disk.write(path, identity_text(identity)); !written)
    return error{written.failure().code, "the node cannot begin, because its incarnation " +
                                             std::to_string(identity.incarnation) +
                                             " could not be stored: " + written.failure().text};
  return identity;
}

} // namespace gradmesh::mesh
