#pragma once

/// The role matrix: which nodes may send which messages. Links enforce it before any actor sees a
/// message.

#include "actors/mesh/roles.hpp"

#include <cstdint>

namespace gradmesh::env {

/// The roles of which a sender of this kind of message (an ordinal of schema::MessageKind) must
/// have one. Empty: nobody may send it to actors.
mesh::role_set senders_of(std::uint16_t kind);

} // namespace gradmesh::env
