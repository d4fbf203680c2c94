#include "actors/env/network/tcp.hpp"

#include <doctest/doctest.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace gradmesh::env {
namespace {

std::string congestion_control_of(int socket) {
  std::array<char, 16> name{};
  socklen_t length = name.size();
  REQUIRE(getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &length) == 0);
  return name.data();
}

int receive_buffer_of(int socket) {
  int bytes = 0;
  socklen_t length = sizeof(bytes);
  REQUIRE(getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, &length) == 0);
  return bytes;
}

int accept_when_there(int listening) {
  pollfd there{listening, POLLIN, 0};
  REQUIRE(poll(&there, 1, 10'000) == 1);
  return accept(listening, nullptr, nullptr);
}

TEST_CASE("connections on loopback addresses are not paced, whichever side sends") {
  for (const auto* host : {"127.0.0.1", "127.0.0.2"}) {
    const auto listening = open_listening({host, 0});
    REQUIRE(listening);
    CHECK(congestion_control_of(listening->descriptor) == "reno");
    const auto dialling = open_loopback(listening->bound);
    REQUIRE(dialling);
    CHECK(congestion_control_of(dialling->descriptor) == "reno");
    REQUIRE(dialling->address.ss_family == AF_INET);
    const auto& to = reinterpret_cast<const sockaddr_in&>(dialling->address);
    CHECK(ntohs(to.sin_port) == listening->bound.port);
  }
}

TEST_CASE("what waits on a loopback address for its reader is bounded, in both directions") {
  // Where the system does not allow so much, it chooses.
  const kj::AutoCloseFd plain(socket(AF_INET, SOCK_STREAM, 0));
  const auto chosen = receive_buffer_of(plain);
  const int half = 512 * 1024;
  REQUIRE(setsockopt(plain, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half)) == 0);
  const auto expected = receive_buffer_of(plain) == 1024 * 1024 ? 1024 * 1024 : chosen;

  const auto listening = open_listening({"127.0.0.1", 0});
  REQUIRE(listening);
  const auto dialling = open_loopback(listening->bound);
  REQUIRE(dialling);
  CHECK(receive_buffer_of(dialling->descriptor) == expected);
  (void)connect(dialling->descriptor, reinterpret_cast<const sockaddr*>(&dialling->address),
                dialling->address_bytes);
  const kj::AutoCloseFd accepted(accept_when_there(listening->descriptor));
  CHECK(receive_buffer_of(accepted) == expected);
}

TEST_CASE("elsewhere the system chooses the congestion control and the receive buffer") {
  const auto listening = open_listening({"0.0.0.0", 0});
  REQUIRE(listening);
  const kj::AutoCloseFd plain(socket(AF_INET, SOCK_STREAM, 0));
  CHECK(congestion_control_of(listening->descriptor) == congestion_control_of(plain));
  CHECK(receive_buffer_of(listening->descriptor) == receive_buffer_of(plain));
  CHECK_FALSE(open_loopback({"192.0.2.1", 7700}));
  CHECK_FALSE(open_loopback({"name.invalid", 7700}));
}

TEST_CASE("of what a receiver does not take, little waits unsent in the system") {
  auto io = kj::setupAsyncIo();
  const auto listening = open_listening({"127.0.0.1", 0});
  REQUIRE(listening);
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listening->descriptor);
  auto address =
      io.provider->getNetwork().parseAddress("127.0.0.1", listening->bound.port).wait(io.waitScope);
  auto sender = address->connect().wait(io.waitScope);
  auto idle = receiver->accept().wait(io.waitScope);
  set_link_options(*sender);

  const std::vector<kj::byte> more_than_any_window(std::size_t{64} << 20);
  auto writing = sender->write(more_than_any_window.data(), more_than_any_window.size());
  REQUIRE_FALSE(writing.poll(io.waitScope));
  int unsent = 0;
  REQUIRE(ioctl(KJ_ASSERT_NONNULL(sender->getFd()), SIOCOUTQNSD, &unsent) == 0);
  CAPTURE(unsent);
  CHECK(unsent > 0);
  CHECK(unsent <= 256 * 1024); // the bound and a segment or two of this interface
}

} // namespace
} // namespace gradmesh::env
