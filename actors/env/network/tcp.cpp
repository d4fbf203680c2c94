#include "actors/env/network/tcp.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

namespace gradmesh::env {
namespace {

/// A burst of strangers must not fill it, or the system makes members wait for seconds.
constexpr int pending_connections_max = 1'024;
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_interval_s = 10;
constexpr int keepalive_probes = 3;

/// What waits in the system beyond what the receiver's window takes is of no use: it leaves the
/// processor's caches before it is sent, an urgent frame queues behind it, and the sender sleeps
/// long enough to be woken by an interrupt. 4 and 16 MiB pushes go a tenth faster with this bound.
constexpr int unsent_bytes_max = 128 * 1024;

/// Between processes of one machine a large receive buffer covers no line's delay: it only lets the
/// sender run ahead until what it wrote has left the processors' caches. 4 MiB pushes go a tenth
/// and 16 MiB pushes a sixth faster with this bound, which includes the system's own bookkeeping.
constexpr int loopback_receive_bytes = 1024 * 1024;

config::endpoint numeric(const sockaddr* address, socklen_t length) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return {};
  return {host, static_cast<std::uint16_t>(std::stoul(port))};
}

error cannot_listen(const config::endpoint& at, const std::string& reason) {
  return {errc::io_failed, "cannot listen on " + config::to_string(at) + ": " + reason +
                               "; choose another address, or port 0 for any free one"};
}

std::string system_reason() {
  return std::system_category().message(errno);
}

void set_option(kj::AsyncIoStream& stream, int level, int name, int value) {
  stream.setsockopt(level, name, &value, sizeof(value));
}

/// Before the connection is made: pacing once begun goes on. This algorithm never paces, and every
/// Linux kernel has it and lets everybody use it.
void do_not_pace(int socket) {
  constexpr std::string_view algorithm = "reno";
  setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, algorithm.data(), algorithm.size());
}

/// What the system then has, in bytes; 0: it does not say.
int set_receive_buffer(int socket, int bytes) {
  const int asked = bytes / 2; // the system doubles it
  setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &asked, sizeof(asked));
  int granted = 0;
  socklen_t length = sizeof(granted);
  getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &granted, &length);
  return granted;
}

/// Whether users may have so much (net.core.rmem_max). With less the bound would cost more than it
/// brings, and once set it stays: so it is tried with another socket.
bool may_bound_receive_buffer() {
  static const bool granted = [] {
    const int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw < 0) return false;
    const kj::AutoCloseFd trial(raw);
    return set_receive_buffer(trial, loopback_receive_bytes) == loopback_receive_bytes;
  }();
  return granted;
}

/// Before the connection is made, which is told the size of the window.
void set_loopback_options(int socket) {
  do_not_pace(socket);
  if (may_bound_receive_buffer()) set_receive_buffer(socket, loopback_receive_bytes);
}

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

} // namespace

std::optional<loopback_socket> open_loopback(const config::endpoint& to) {
  if (!config::is_loopback(to)) return std::nullopt;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &wanted, &found) != 0)
    return std::nullopt;
  const address_list address(found, &freeaddrinfo);
  const int raw = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (raw < 0) return std::nullopt;
  set_loopback_options(raw);
  loopback_socket opened{kj::AutoCloseFd(raw), {}, address->ai_addrlen};
  std::memcpy(&opened.address, address->ai_addr, address->ai_addrlen);
  return opened;
}

result<listening_socket> open_listening(const config::endpoint& at) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int failed =
          getaddrinfo(at.host.c_str(), std::to_string(at.port).c_str(), &wanted, &found))
    return cannot_listen(at, gai_strerror(failed));
  const address_list address(found, &freeaddrinfo);

  const int raw = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (raw < 0) return cannot_listen(at, system_reason());
  kj::AutoCloseFd descriptor(raw);
  // A restarted node gets its port back while the connections of the old one are still fading.
  const int on = 1;
  setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (config::is_loopback(at)) set_loopback_options(raw);
  if (bind(raw, address->ai_addr, address->ai_addrlen) != 0 ||
      ::listen(raw, pending_connections_max) != 0)
    return cannot_listen(at, system_reason());

  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  if (getsockname(raw, reinterpret_cast<sockaddr*>(&bound), &length) != 0)
    return cannot_listen(at, system_reason());
  return listening_socket{kj::mv(descriptor), numeric(reinterpret_cast<sockaddr*>(&bound), length)};
}

void set_link_options(kj::AsyncIoStream& stream) {
  try {
    set_option(stream, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(stream, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_bytes_max);
    set_option(stream, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(stream, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
    set_option(stream, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
    set_option(stream, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  } catch (const kj::Exception&) {
    // The connection is gone already; reading will tell.
  }
}

config::endpoint remote_of(kj::AsyncIoStream& stream) {
  sockaddr_storage address{};
  kj::uint length = sizeof(address);
  try {
    stream.getpeername(reinterpret_cast<sockaddr*>(&address), &length);
  } catch (const kj::Exception&) {
    return {}; // gone already, as above
  }
  return numeric(reinterpret_cast<sockaddr*>(&address), length);
}

std::string reason_of(const kj::Exception& e) {
  return e.getDescription().cStr();
}

} // namespace gradmesh::env
