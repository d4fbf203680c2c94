#pragma once

/// Who a node is over its restarts: the file `identity` in its state folder.
///
///   gradmesh-identity 1
///   uuid 3f2a90c1...            32 hexadecimal digits
///   incarnation 7
///   checksum 8f3c...            16: FNV-1a of the lines above
///
/// The incarnation of a life is on the medium before the life begins, so no two lives share one
/// (`disk.write` replaces the file whole).

#include "actors/env/disk.hpp"
#include "actors/mesh/identity.hpp"
#include "actors/rules.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace gradmesh::mesh {

/// Another node, in its first life.
node_identity draw_identity(const std::function<std::uint64_t()>& entropy);

/// The identity of the life that begins now: the stored one with the next incarnation, or a drawn
/// one if there is no file. It is stored when this returns. The folder must exist. Errors:
/// `malformed_data` (the file is damaged: nothing is changed), `limit_exceeded` (its incarnations
/// are used up), `io_failed`; then the node must not begin.
result<node_identity> begin_life(env::disk& disk, const std::string& folder,
                                 const std::function<std::uint64_t()>& entropy,
                                 rule_set rules = {});

/// The file's bytes, and back; nothing for bytes that `identity_text` does not make.
std::string identity_text(const node_identity& identity);
std::optional<node_identity> parse_identity(std::string_view text);

} // namespace gradmesh::mesh
