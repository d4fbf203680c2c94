#pragma once

/// What the system's socket interface is needed for beside KJ: binding with readable errors,
/// options, addresses.

#include "actors/error.hpp"
#include "config/endpoint.hpp"

#include <kj/async-io.h>
#include <kj/io.h>

namespace gradmesh::env {

struct listening_socket {
  kj::AutoCloseFd descriptor;
  config::endpoint bound;
};

/// Binds and listens; non-blocking, close-on-exec. Errors: `io_failed` with the system's reason.
result<listening_socket> open_listening(const config::endpoint& at);

/// No Nagle delay; keepalive that notices a vanished machine after about a minute.
void set_link_options(kj::AsyncIoStream& stream);

/// Numeric address of the other end; empty when the system does not say.
config::endpoint remote_of(kj::AsyncIoStream& stream);

/// A KJ error as one line for people, e.g. "connect(): Connection refused".
std::string reason_of(const kj::Exception& e);

} // namespace gradmesh::env
