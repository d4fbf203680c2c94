#pragma once

/// A plain blocking socket that speaks, or does not speak, the link protocol byte by byte. Reading
/// gives up after the tests' patience.

#include "actors/env/network/handshake.hpp"
#include "config/endpoint.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace gradmesh::env::test {

using bytes = std::vector<std::byte>;

/// The frame as it stands on the wire.
bytes encode(const mesh::frame& f);

class raw_peer {
public:
  explicit raw_peer(int descriptor) : descriptor_(descriptor) {}
  explicit raw_peer(const config::endpoint& to);
  ~raw_peer();
  raw_peer(raw_peer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  raw_peer& operator=(raw_peer&&) = delete;

  /// Errors of the socket are ignored: what the other side made of it shows in its answer.
  void send(std::span<const std::byte> data);
  void send(std::string_view text);
  void send(const mesh::frame& f) { send(encode(f)); }
  /// Nothing when the other side has closed.
  std::optional<mesh::frame> receive();
  /// Reads on until it is closed; false when it stays open for too long.
  bool is_closed_by_peer();
  /// False when it was closed before that.
  bool receive_exactly(std::span<std::byte> to);
  /// Closes so that the other side finds a reset instead of an end.
  void reset();
  /// Hands on what has come in, or the end.
  void pass_on(raw_peer& to);
  int descriptor() const { return descriptor_; }

private:
  int descriptor_;
};

class raw_listener {
public:
  raw_listener();
  ~raw_listener();
  const config::endpoint& at() const { return at_; }
  raw_peer accept();
  int descriptor() const { return descriptor_; }

private:
  int descriptor_;
  config::endpoint at_;
};

/// Both lanes with the handshake done.
struct raw_link {
  raw_link(const config::endpoint& to, const greeting& own);
  raw_peer control;
  raw_peer bulk;
};

} // namespace gradmesh::env::test
