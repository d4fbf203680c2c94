#include "tools/chaos/relay.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace gradmesh::tools::chaos {
namespace {

constexpr std::size_t read_bytes = std::size_t{256} << 10;
/// What a direction holds before it reads no more; with a delay more is on its way at a time.
constexpr std::size_t held_bytes_max = std::size_t{1} << 20;
constexpr std::size_t delayed_bytes_max = std::size_t{64} << 20;

constexpr direction other(direction d) {
  return d == direction::there ? direction::back : direction::there;
}

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

} // namespace

relay::relay(env::descriptor accepted, env::descriptor dialled, connection_listener listener)
    : ends_{std::move(accepted), std::move(dialled)}, listener_(std::move(listener)) {}

bool relay::room(const line& l, const flow& f) {
  return l.bytes < (f.delay.count() > 0 ? delayed_bytes_max : held_bytes_max);
}

short relay::wanted(direction from, const std::array<flow, 2>& flows, clock::time_point now) const {
  short events = 0;
  const auto& out = flows[static_cast<std::size_t>(from)];
  const auto& outgoing = line_of(from);
  if (!out.held && !out.paused && !outgoing.ended && room(outgoing, out)) events |= POLLIN;
  const auto back = other(from);
  const auto& incoming = line_of(back);
  if (!flows[static_cast<std::size_t>(back)].held && !incoming.pieces.empty() &&
      incoming.pieces.front().due <= now)
    events |= POLLOUT;
  return events;
}

std::size_t relay::read(direction d, const flow& f, std::size_t bytes_max, clock::time_point now) {
  auto& l = line_of(d);
  if (f.held || l.ended || !room(l, f) || bytes_max == 0) return 0;
  std::string bytes(std::min(read_bytes, bytes_max), '\0');
  const auto count = ::recv(socket(d), bytes.data(), bytes.size(), 0);
  if (count < 0) {
    if (!would_block()) broken_ = true;
    return 0;
  }
  if (count == 0) {
    l.ended = true;
    return 0;
  }
  bytes.resize(static_cast<std::size_t>(count));
  if (const auto& told = d == direction::there ? listener_.there : listener_.back) told(bytes);
  l.bytes += bytes.size();
  l.pieces.push_back({now + f.delay, std::move(bytes)});
  return static_cast<std::size_t>(count);
}

void relay::write(direction d, const flow& f, clock::time_point now) {
  auto& l = line_of(d);
  if (f.held || broken_) return;
  while (!l.pieces.empty() && l.pieces.front().due <= now) {
    const auto& bytes = l.pieces.front().bytes;
    const auto count =
        ::send(target(d), bytes.data() + l.written, bytes.size() - l.written, MSG_NOSIGNAL);
    if (count < 0) {
      if (!would_block()) broken_ = true;
      return;
    }
    l.written += static_cast<std::size_t>(count);
    l.bytes -= static_cast<std::size_t>(count);
    if (l.written < bytes.size()) return;
    l.written = 0;
    l.pieces.pop_front();
  }
  if (l.ended && l.pieces.empty() && !l.closed) {
    ::shutdown(target(d), SHUT_WR);
    l.closed = true;
  }
}

clock::time_point relay::next_due(const std::array<flow, 2>& flows, clock::time_point now) const {
  auto due = clock::time_point::max();
  for (std::size_t i = 0; i < 2; ++i)
    if (!flows[i].held && !lines_[i].pieces.empty() && lines_[i].pieces.front().due > now)
      due = std::min(due, lines_[i].pieces.front().due);
  return due;
}

void relay::reset_on_close() const {
  const linger at_once{1, 0};
  for (const auto& end : ends_)
    ::setsockopt(end.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

} // namespace gradmesh::tools::chaos
