#pragma once

/// INTERNAL to tools/chaos: one connection through the proxy: two sockets, and what is on its way
/// between them. Bytes are never lost or changed: a network that is cut off keeps them, as TCP
/// repeats what was not acknowledged.

#include "actors/env/descriptor.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace gradmesh::tools::chaos {

using clock = std::chrono::steady_clock;

/// What a direction is like at the moment.
struct flow {
  bool held = false;   // nothing is read or written, an end neither
  bool paused = false; // nothing is read for a moment, because its rate is used up
  std::chrono::milliseconds delay{0};
};

/// Told of the bytes of a connection, in the order in which they come: those there, those back. May
/// be empty.
struct connection_listener {
  std::function<void(std::string_view)> there, back;
};

/// The two directions: from the socket that was accepted to the one that was dialled, and back.
enum class direction : std::uint8_t { there, back };

class relay {
public:
  /// Both sockets are connected, or on their way to be, and do not block.
  relay(env::descriptor accepted, env::descriptor dialled, connection_listener listener);

  /// What poll() has to wait for, as POLLIN and POLLOUT; nothing: leave the socket out.
  short wanted(direction from, const std::array<flow, 2>& flows, clock::time_point now) const;
  /// Socket that a direction reads from.
  int socket(direction from) const { return ends_[static_cast<std::size_t>(from)].get(); }

  /// Reads at most `bytes_max`; returns how many bytes it was.
  std::size_t read(direction d, const flow& f, std::size_t bytes_max, clock::time_point now);
  /// Writes what is due.
  void write(direction d, const flow& f, clock::time_point now);

  /// When something becomes due that is not due yet.
  clock::time_point next_due(const std::array<flow, 2>& flows, clock::time_point now) const;
  /// Broken, or both directions have ended.
  bool over() const { return broken_ || (lines_[0].closed && lines_[1].closed); }
  /// What was read and not written yet.
  std::size_t bytes_held(direction d) const { return line_of(d).bytes; }
  /// Its end is a reset, as of a network that refuses.
  void reset_on_close() const;

private:
  struct piece {
    clock::time_point due;
    std::string bytes;
  };
  struct line {
    std::deque<piece> pieces;
    std::size_t bytes = 0;   // of the pieces, less what was written of the first
    std::size_t written = 0; // of the first piece
    bool ended = false;      // nothing more can be read
    bool closed = false;     // and the other side knows
  };
  line& line_of(direction d) { return lines_[static_cast<std::size_t>(d)]; }
  const line& line_of(direction d) const { return lines_[static_cast<std::size_t>(d)]; }
  int target(direction d) const { return ends_[1 - static_cast<std::size_t>(d)].get(); }
  static bool room(const line& l, const flow& f);

  std::array<env::descriptor, 2> ends_;
  connection_listener listener_;
  std::array<line, 2> lines_;
  bool broken_ = false;
};

} // namespace gradmesh::tools::chaos
