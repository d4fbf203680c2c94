#pragma once

/// The seam between actors and the wire: send a frame to a peer, be told of frames and of peers
/// that come and go. Production binds it to sockets (`socket_network`), tests and in-process meshes
/// to memory (`memory_network`), simulation to a seeded scheduler.
///
/// Threads: every function may be called from any thread and none blocks. Events come from the
/// network's own thread (sockets) or the sender's (memory), one at a time for a peer and lane; a
/// handler must not block.
///
/// Order: frames of one priority to one peer on one lane arrive in the order of the calls to
/// `send`, or the peer goes down. Failure: a peer that breaks the protocol, falls silent in the
/// handshake, or does not read its control lane goes down with an error that says so; frames queued
/// for it are lost.
///
/// Back-pressure: each receiver grants a window per lane, and the queue in front of it is bounded,
/// so a peer that does not read costs `queue_bytes_max` and no more. Then `send` says
/// `retry_later`.

#include "actors/error.hpp"
#include "actors/mesh/frame.hpp"
#include "actors/mesh/roles.hpp"
#include "config/endpoint.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::env {

class tls_context;

struct peer {
  mesh::node_identity identity;
  std::string name;
  mesh::role_set roles;
  config::endpoint remote;
};

/// Called by the network; all members must be set, and none may throw or call `stop`.
struct network_events {
  std::function<void(mesh::frame_ptr)> on_frame;
  /// Both lanes to the peer are open, whoever dialled.
  std::function<void(const peer&)> on_peer_up;
  /// Comes exactly once for each `on_peer_up`, unless `stop` comes first.
  std::function<void(const peer&, const error& why)> on_peer_down;
  /// A peer sent what its roles do not allow; it is counted, and no actor sees it.
  std::function<void(const mesh::frame_ptr&, const error& why)> on_refused;
  /// A `connect` that did not lead to `on_peer_up`. Never retried by the network.
  std::function<void(const config::endpoint&, const error& why)> on_connect_failed;
};

struct protocol_range {
  std::uint16_t min = mesh::protocol_version;
  std::uint16_t max = mesh::protocol_version;

  bool operator==(const protocol_range&) const = default;
};

struct network_options {
  mesh::node_identity self;
  std::string node_name;
  std::string cluster = "gradmesh";
  mesh::role_set roles;
  /// Null: links are neither encrypted nor authenticated, and peers are what they say.
  std::shared_ptr<const tls_context> tls;
  /// Whether the bulk lane to a peer on the same host may go through shared memory.
  bool shared_memory = true;
  /// Bytes that may wait for one peer on its bulk lane; a single larger frame passes when nothing
  /// waits.
  std::size_t queue_bytes_max = 64u << 20;
  /// Bytes of bulk frames that a peer may have sent without an actor having dealt with them.
  std::size_t window_bytes = 64u << 20;
  /// Connections that have not finished the handshake; one more takes the place of the oldest.
  std::size_t half_open_max = 64;
  /// From the first byte to the Welcome.
  std::chrono::milliseconds handshake_timeout{5'000};
  /// For name look-up and TCP connect together.
  std::chrono::milliseconds connect_timeout{5'000};
  /// The versions that this node offers; narrower or other ones only where a mix of releases is
  /// tried out.
  protocol_range protocols;
  /// A line about something that no event tells of, e.g. a connection by somebody who is no
  /// Gradmesh node; may be empty. Called as the events are.
  std::function<void(std::string)> log;
};

/// Counters since the start.
struct network_stats {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t frames_refused = 0; // malformed, unsolicited or by nobody we want; each
                                    // ended a connection, or is a handshake that never came
  std::uint64_t queued_bytes = 0;   // now, over all peers and lanes
  std::uint64_t roles_refused = 0;  // frames that their sender's roles do not allow
  std::uint64_t sends_refused = 0;  // answered with `retry_later`
};

class network {
public:
  virtual ~network() = default; // stops as `stop` does

  /// Begins to deliver events. Call once, before anything else.
  /// Errors: `io_failed` (no thread, no descriptors left); the network is then of no use.
  virtual result<void> start(network_events events) = 0;

  /// Accepts peers at an address; returns the bound one (port 0 picks a free port).
  /// A host name is looked up before this returns. Errors: `io_failed` with the system's reason,
  /// e.g. the port is in use.
  virtual result<config::endpoint> listen(const config::endpoint& at) = 0;

  /// Dials a node; the outcome comes as `on_peer_up` or `on_connect_failed`. Two nodes that dial
  /// each other get one link: one of the two calls fails with `refused`.
  virtual void connect(const config::endpoint& to) = 0;

  /// Queues a frame on the lane that its header names. header.from is set by the network's owner.
  /// Errors: `unreachable` (no such peer is up), `retry_later` (the bulk queue is full),
  /// `limit_exceeded` (the control queue is full; the peer is dropped, because a peer that does not
  /// read cannot be told so), `invalid_argument` (the header has another identity, lengths that are
  /// not those of the parts, or a kind that belongs to links).
  virtual result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) = 0;

  /// Ends the links to a peer; `on_peer_down` follows with `why`.
  virtual void disconnect(const mesh::node_uuid& peer, error why) = 0;

  /// Has a task run on the thread that events come from; false when there is none (memory), or no
  /// more. What the thread does not come to before it ends is dropped.
  virtual bool post(std::function<void()> task) = 0;

  /// Writes what is queued and waits until the peers have read it (at most `linger`), closes
  /// everything, joins threads. No events from the call on, not even for the peers that were up.
  virtual void stop(std::chrono::milliseconds linger) = 0;

  virtual network_stats stats() const = 0;
};

} // namespace gradmesh::env
