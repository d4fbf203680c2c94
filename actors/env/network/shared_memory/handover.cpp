#include "actors/env/network/shared_memory/handover.hpp"

#include "actors/env/descriptor.hpp"
#include "config/diagnostic.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <fstream>

namespace gradmesh::env::shm {
namespace {

constexpr int pending_connections_max = 64;

struct abstract_address {
  sockaddr_un address{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

result<abstract_address> address_of(std::string_view name) {
  abstract_address a;
  a.address.sun_family = AF_UNIX;
  // The leading zero byte makes it abstract.
  if (name.size() >= sizeof(a.address.sun_path))
    return {errc::invalid_argument, "the name of a socket, " + config::quoted(name) + ", has " +
                                        std::to_string(name.size()) + " bytes; at most " +
                                        std::to_string(sizeof(a.address.sun_path) - 1) +
                                        " are allowed"};
  std::memcpy(a.address.sun_path + 1, name.data(), name.size());
  a.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return a;
}

kj::AutoCloseFd open_socket() {
  return kj::AutoCloseFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

error failed(errc code, const char* what, std::string_view name) {
  // A peer may have said the name.
  return {code, std::string(what) + ' ' + config::quoted(name) + ": " + errno_text()};
}

} // namespace

std::string this_host() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

result<kj::AutoCloseFd> listen_at(std::string_view name) {
  const auto at = address_of(name);
  if (!at) return at.failure();
  auto socket = open_socket();
  if (socket.get() < 0 || ::bind(socket, at->get(), at->length) != 0 ||
      ::listen(socket, pending_connections_max) != 0)
    return failed(errc::io_failed, "cannot listen on the abstract Unix socket", name);
  return socket;
}

result<kj::AutoCloseFd> connect_to(std::string_view name) {
  const auto at = address_of(name);
  if (!at) return at.failure();
  auto socket = open_socket();
  if (socket.get() < 0 || ::connect(socket, at->get(), at->length) != 0)
    return failed(errc::unreachable, "cannot connect to the abstract Unix socket", name);
  return socket;
}

result<void> check_same_user(int socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return {errc::refused, "cannot learn the user of a peer on this host: " + errno_text()};
  if (peer.uid != geteuid())
    return {errc::refused, "a peer on this host (process " + std::to_string(peer.pid) +
                               ") runs under user " + std::to_string(peer.uid) + ", we under " +
                               std::to_string(geteuid()) + "; no memory is shared with it"};
  return {};
}

kj::Promise<result<void>> send_memory(kj::AsyncCapabilityStream& to, const memory& m) {
  auto answer = kj::heap<kj::byte>();
  auto* here = answer.get();
  return to.sendFd(m.descriptor())
      .then([&to, here] { return to.tryRead(here, 1, 1); })
      .then([](std::size_t got) -> result<void> {
        if (got == 0)
          return {errc::node_lost, "the peer closed the socket instead of taking memory"};
        return {};
      })
      .attach(kj::mv(answer));
}

kj::Promise<result<std::shared_ptr<memory>>> receive_memory(kj::AsyncCapabilityStream& from) {
  struct parcel {
    kj::byte byte = 0;
    kj::AutoCloseFd descriptor;
  };
  auto p = kj::heap<parcel>();
  auto& here = *p;
  return from.tryReadWithFds(&here.byte, 1, 1, &here.descriptor, 1)
      .then([&here](kj::AsyncCapabilityStream::ReadResult got) {
        using outcome = result<std::shared_ptr<memory>>;
        if (got.byteCount == 0)
          return outcome(errc::node_lost, "the peer closed the socket and sent no memory");
        if (got.capCount == 0)
          return outcome(errc::malformed_message, "the peer sent bytes instead of memory");
        return memory::adopt(kj::mv(here.descriptor));
      })
      .then([&from, &here](result<std::shared_ptr<memory>> adopted) {
        using outcome = result<std::shared_ptr<memory>>;
        if (!adopted) return kj::Promise<outcome>(adopted);
        return from.write(&here.byte, 1).then([adopted] { return outcome(adopted); });
      })
      .attach(kj::mv(p));
}

} // namespace gradmesh::env::shm
