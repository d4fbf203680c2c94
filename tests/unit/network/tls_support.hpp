#pragma once

/// For tests of TLS: a CA with certificates of every kind, good or not; pairs of connected sockets
/// on one loop; and a peer that is OpenSSL alone, with none of our rules.

#include "actors/env/memory_disk.hpp"
#include "actors/env/network/tls/certificate.hpp"
#include "actors/env/network/tls/issue.hpp"
#include "actors/env/network/tls/tls_context.hpp"
#include "actors/env/network/tls/tls_socket.hpp"

#include <doctest/doctest.h>
#include <kj/async-io.h>

#include <ctime>
#include <optional>

namespace gradmesh::env::test {

inline const std::string cluster = "mesh-1";

/// From an hour ago until the given time from now.
validity valid_for(std::int64_t seconds);

/// A CA of `cluster`, and what it signs.
class authority {
public:
  authority();

  const certificate_and_key& files() const { return files_; }
  certificate_and_key node(const std::string& name, mesh::role_set roles = {mesh::role::worker},
                           std::vector<std::string> hosts = {}) const;
  /// A certificate with these URIs, which `issue` might not make.
  certificate_and_key odd_node(const std::vector<std::string>& uris,
                               const validity& valid = valid_for(3600)) const;

private:
  certificate_and_key files_;
};

struct odd_certificate {
  std::vector<std::string> uris;
  validity valid = valid_for(3600);
  bool may_sign = false;
  std::string name = "odd";
};
/// Signed by anybody, or by itself.
certificate_and_key sign(const odd_certificate& wanted, const certificate_and_key* signer);

/// Puts the files "ca.crt", "node.crt" and "node.key" on a disk and loads them.
tls_settings settings_in_memory();
void put(memory_disk& disk, const authority& ca, const certificate_and_key& node);
std::shared_ptr<const tls_context> context_of(const authority& ca, const certificate_and_key& node);

/// An event loop. Everything in a test lives on it.
struct test_loop {
  kj::AsyncIoContext io = kj::setupAsyncIo();

  kj::TwoWayPipe sockets() { return io.provider->newTwoWayPipe(); }

  /// Waits, and gives up after the tests' patience.
  template <class T>
  T wait(kj::Promise<T> promise) {
    auto& timer = io.provider->getTimer();
    return timer.timeoutAfter(30 * kj::SECONDS, kj::mv(promise)).wait(io.waitScope);
  }
};

struct outcome {
  result<tls_connection> listener;
  result<tls_connection> dialer;
};
outcome shake_hands(test_loop& loop, const tls_context& listener, const tls_context& dialer,
                    const std::string& host = "localhost");

/// Two streams that are connected with each other.
struct stream_pair {
  explicit stream_pair(test_loop& loop);
  kj::Own<kj::AsyncIoStream> listener;
  kj::Own<kj::AsyncIoStream> dialer;
};

struct bare_options {
  bool listens = false;
  std::optional<certificate_and_key> identity;
  int version_max = TLS1_3_VERSION;
};

/// OpenSSL over one end of a pair of sockets. It trusts everybody.
class bare_peer {
public:
  bare_peer(test_loop& loop, kj::Own<kj::AsyncIoStream> socket, const bare_options& options);

  /// Both resolve with what OpenSSL says went wrong, or with nothing.
  kj::Promise<std::string> shake_hands();
  kj::Promise<std::string> read(std::size_t bytes);
  void write(std::string_view text);
  /// Asks the other side to change its keys, too.
  void update_keys();
  tls_socket& socket() { return *socket_; }

private:
  kj::Promise<std::string> drive(kj::Function<int()> step);

  ssl_context_ptr settings_;
  kj::Own<tls_socket> socket_;
  ssl_ptr ssl_;
};

/// Bytes that wait at a descriptor to be read.
std::size_t readable_bytes(int descriptor);

} // namespace gradmesh::env::test
