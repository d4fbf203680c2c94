#pragma once

/// How two nodes come to share a memory: a Unix socket in Linux's abstract namespace, which leaves
/// no file behind, and the memory sent over it. Both sides must check that they belong to one user.

#include "actors/env/network/shared_memory/memory.hpp"

#include <kj/async-io.h>

#include <string>
#include <string_view>

namespace gradmesh::env::shm {

/// Names this machine since its start, the same for all of its processes; empty if the system does
/// not say.
std::string this_host();

/// Accepts connections under a name. Errors: `io_failed` (e.g. the name is in use).
result<kj::AutoCloseFd> listen_at(std::string_view name);
/// Connects at once or not at all. Errors: `unreachable`.
result<kj::AutoCloseFd> connect_to(std::string_view name);

/// Whether the process that connected, or that listens, runs under our user. Errors: `refused`.
result<void> check_same_user(int socket);

/// The peer must expect it with `receive_memory` as the next thing on the socket. Resolves when the
/// peer has it. Errors: `node_lost` (the socket ended).
kj::Promise<result<void>> send_memory(kj::AsyncCapabilityStream& to, const memory& m);
/// Errors: as `memory::adopt`, and `node_lost` (the socket ended).
kj::Promise<result<std::shared_ptr<memory>>> receive_memory(kj::AsyncCapabilityStream& from);

} // namespace gradmesh::env::shm
