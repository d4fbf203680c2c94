#include "tests/unit/chaos/tcp_end.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace gradmesh::testing {
namespace {

using clock = std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool readable(int fd, clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) > 0;
}

} // namespace

tcp_end tcp_end::dial(std::uint16_t port) {
  tcp_end end(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback(port);
  REQUIRE(connect(end.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return end;
}

std::uint16_t tcp_end::local_port() const {
  return port_of(fd_);
}

void tcp_end::send(const std::string& bytes) const {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto count = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

std::string tcp_end::receive(std::size_t count, std::chrono::milliseconds limit) const {
  const auto deadline = clock::now() + limit;
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count && readable(fd_, deadline)) {
    const auto more = recv(fd_, bytes.data() + got, count - got, 0);
    if (more <= 0) break;
    got += static_cast<std::size_t>(more);
  }
  bytes.resize(got);
  return bytes;
}

bool tcp_end::ends(std::chrono::milliseconds limit) const {
  char byte = 0;
  return readable(fd_, clock::now() + limit) && recv(fd_, &byte, 1, 0) <= 0;
}

void tcp_end::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

tcp_listener::tcp_listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto address = loopback(0);
  REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd_, 16) == 0);
  port_ = port_of(fd_);
}

tcp_listener::~tcp_listener() {
  close(fd_);
}

tcp_end tcp_listener::accept(std::chrono::milliseconds limit) const {
  if (!readable(fd_, clock::now() + limit)) return tcp_end();
  return tcp_end(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}

} // namespace gradmesh::testing
