#pragma once

/// What the system's socket interface is needed for beside KJ: binding with readable errors,
/// options, addresses.

#include "actors/error.hpp"
#include "config/endpoint.hpp"

#include <kj/async-io.h>
#include <kj/io.h>
#include <sys/socket.h>

#include <optional>

namespace gradmesh::env {

struct listening_socket {
  kj::AutoCloseFd descriptor;
  config::endpoint bound;
};

struct loopback_socket {
  kj::AutoCloseFd descriptor; // not connected yet
  sockaddr_storage address;
  socklen_t address_bytes;
};

/// A socket for a connection to `to`, if that is a numeric loopback address; see open_listening.
std::optional<loopback_socket> open_loopback(const config::endpoint& to);

/// Binds and listens; non-blocking, close-on-exec. On loopback addresses without the pacing that
/// some congestion controls (BBR) do: there is no line whose rate they could find, and the timers
/// cost half of the goodput; and with a receive buffer of 1 MiB, if users may have so much
/// (net.core.rmem_max from 512 KiB on). Elsewhere the system's choice counts. Errors: `io_failed`
/// with the system's reason.
result<listening_socket> open_listening(const config::endpoint& at);

/// No Nagle delay; little that is unsent waits in the system; keepalive that notices a vanished
/// machine after about a minute.
void set_link_options(kj::AsyncIoStream& stream);

/// Numeric address of the other end; empty when the system does not say.
config::endpoint remote_of(kj::AsyncIoStream& stream);

/// A KJ error as one line for people, e.g. "connect(): Connection refused".
std::string reason_of(const kj::Exception& e);

} // namespace gradmesh::env
