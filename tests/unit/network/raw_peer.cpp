#include "tests/unit/network/raw_peer.hpp"

#include "tests/unit/network/test_node.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace gradmesh::env::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int open_socket() {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(descriptor >= 0);
  const timeval limit{patience.count(), 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return descriptor;
}

raw_peer dial(const config::endpoint& to, const greeting& own, mesh::lane l) {
  raw_peer peer(to);
  peer.send(*make_hello(own, l));
  const auto answer = peer.receive();
  REQUIRE(answer);
  REQUIRE(read_answer(*answer));
  return peer;
}

} // namespace

bytes encode(const mesh::frame& f) {
  const auto header = mesh::encode_header(f);
  const auto metadata = std::as_bytes(std::span(f.metadata));
  bytes out(f.wire_bytes());
  auto at = std::copy(header.begin(), header.end(), out.begin());
  at = std::copy(metadata.begin(), metadata.end(), at);
  std::copy(f.body.bytes.begin(), f.body.bytes.end(), at);
  return out;
}

raw_peer::raw_peer(const config::endpoint& to) : descriptor_(open_socket()) {
  const auto address = loopback(to.port);
  REQUIRE(connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

raw_peer::~raw_peer() {
  if (descriptor_ >= 0) close(descriptor_);
}

void raw_peer::send(std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto sent = ::send(descriptor_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    data = data.subspan(static_cast<std::size_t>(sent));
  }
}

void raw_peer::send(std::string_view text) {
  send(std::as_bytes(std::span(text)));
}

std::optional<mesh::frame> raw_peer::receive() {
  std::array<std::byte, mesh::frame_header_bytes> header;
  if (!receive_exactly(header)) return {};
  const auto decoded = mesh::decode_header(header);
  REQUIRE(decoded);
  mesh::frame f;
  f.header = decoded->header;
  f.metadata.resize(f.header.metadata_bytes / 8);
  REQUIRE(receive_exactly(std::as_writable_bytes(std::span(f.metadata))));
  REQUIRE(mesh::checksum_matches(header, f.metadata));
  const auto body = mesh::allocate_body(f.header.body_bytes);
  REQUIRE(receive_exactly(body.bytes));
  f.body = body.share();
  return f;
}

bool raw_peer::is_closed_by_peer() {
  std::array<std::byte, 4096> rest;
  ssize_t got = 0;
  do
    got = recv(descriptor_, rest.data(), rest.size(), 0);
  while (got > 0);
  return got == 0 || errno == ECONNRESET;
}

bool raw_peer::receive_exactly(std::span<std::byte> to) {
  while (!to.empty()) {
    const auto got = recv(descriptor_, to.data(), to.size(), 0);
    if (got <= 0) return false;
    to = to.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

void raw_peer::reset() {
  const linger at_once{1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(std::exchange(descriptor_, -1));
}

void raw_peer::pass_on(raw_peer& to) {
  std::array<std::byte, 65'536> data;
  const auto got = recv(descriptor_, data.data(), data.size(), MSG_DONTWAIT);
  if (got > 0)
    to.send(std::span(data).first(static_cast<std::size_t>(got)));
  else
    shutdown(to.descriptor_, SHUT_WR);
}

raw_listener::raw_listener() : descriptor_(open_socket()) {
  auto address = loopback(0);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(descriptor_, generic, length) == 0);
  REQUIRE(listen(descriptor_, 8) == 0);
  REQUIRE(getsockname(descriptor_, generic, &length) == 0);
  at_ = {"127.0.0.1", ntohs(address.sin_port)};
}

raw_listener::~raw_listener() {
  close(descriptor_);
}

raw_peer raw_listener::accept() {
  const int descriptor = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  REQUIRE(descriptor >= 0);
  return raw_peer(descriptor);
}

raw_link::raw_link(const config::endpoint& to, const greeting& own)
    : control(dial(to, own, mesh::lane::control)), bulk(dial(to, own, mesh::lane::bulk)) {}

} // namespace gradmesh::env::test
