#pragma once

/// What a node may do in a mesh. A node's certificate names its roles; a link refuses what they do
/// not allow. The spellings are those of node files and certificates.

#include "actors/error.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace gradmesh::mesh {

/// `client`: submits jobs and looks at the mesh, has no part in the work.
enum class role : std::uint8_t { coordinator, server, worker, data_server, client };

inline constexpr std::array all_roles{role::coordinator, role::server, role::worker,
                                      role::data_server, role::client};

/// "data-server".
std::string_view to_string(role r);

class role_set {
public:
  constexpr role_set() = default;
  constexpr role_set(std::initializer_list<role> roles) {
    for (const auto r : roles)
      add(r);
  }

  constexpr void add(role r) { bits_ = static_cast<std::uint8_t>(bits_ | bit(r)); }
  constexpr bool has(role r) const { return (bits_ & bit(r)) != 0; }
  constexpr bool has_all(role_set others) const { return (others.bits_ & ~bits_) == 0; }
  constexpr bool has_any(role_set others) const { return (others.bits_ & bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

  bool operator==(const role_set&) const = default;

private:
  static constexpr std::uint8_t bit(role r) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(r));
  }

  std::uint8_t bits_ = 0;
};

/// "coordinator,server", in the order of the enumeration; empty for no role.
std::string to_string(role_set roles);

/// A comma list without blanks: at least one role, in any order, none twice.
/// Errors: `invalid_argument`.
result<role_set> parse_roles(std::string_view text);

} // namespace gradmesh::mesh
