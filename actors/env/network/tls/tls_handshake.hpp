#pragma once

/// INTERNAL: one TLS handshake, from a connected socket to a stream and the name of the peer.

#include "actors/env/network/tls/tls_context.hpp"
#include "actors/env/network/tls/tls_socket.hpp"

#include <optional>

namespace gradmesh::env {

struct tls_expectation {
  std::string cluster;
  std::string remote;
  std::optional<std::string> host; // dialled; nothing on the listening side
};

class tls_handshake {
public:
  /// Lets OpenSSL ask the handshake under way whether it accepts the peer's certificate. Call once
  /// on a context, before `run`.
  static void set_verification(SSL_CTX& settings);

  static kj::Promise<result<tls_connection>> run(SSL_CTX& settings, kj::UnixEventPort& port,
                                                 kj::Own<kj::AsyncIoStream> socket,
                                                 tls_expectation wanted);

  tls_handshake(SSL_CTX& settings, kj::UnixEventPort& port, kj::AutoCloseFd descriptor,
                tls_expectation wanted);

private:
  static int on_certificate(X509_STORE_CTX* verification, void*);

  kj::Promise<result<tls_connection>> go_on();
  result<void> accept_certificate(X509_STORE_CTX& verification);
  error failure();

  tls_expectation wanted_;
  kj::Own<tls_socket> socket_;
  ssl_ptr ssl_;
  tls_peer peer_;
  std::optional<error> rejected_;
};

} // namespace gradmesh::env
