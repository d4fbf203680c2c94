#pragma once

/// TLS 1.3 for the links of a mesh. Both sides show a certificate of the mesh's own CA; what a peer
/// may do follows from the name in it (tls_peer.hpp). Nothing else is trusted, in particular not
/// the system's list of CAs. No session is resumed, so every connection proves its identity anew.
///
/// Threads: a context is read-only once made and may serve several loops; promises and streams
/// belong to the loop that called. Time: the handshake has no time limit of its own; drop the
/// promise to give it up, which closes the connection.

#include "actors/env/network/tls/tls_peer.hpp"
#include "actors/error.hpp"

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace gradmesh::env {

class disk;

struct tls_settings {
  /// Paths of PEM files: the CA's certificates (several while one replaces another), the node's
  /// certificate with those between it and the CA if there are any, and its key.
  std::string ca;
  std::string certificate;
  std::string key;
  /// The cluster of this node; certificates of another one are refused.
  std::string cluster;
};

struct tls_connection {
  kj::Own<kj::AsyncIoStream> stream;
  tls_peer peer;
};

class tls_context {
public:
  /// Reads and checks the files as other nodes will. Errors name the file: `not_found` and the
  /// other errors of the disk, `malformed_data` (not PEM), `invalid_config` (key and certificate,
  /// certificate and CA, or cluster do not fit; expired; no name of a node).
  static result<std::shared_ptr<const tls_context>> make(const tls_settings& settings, disk& files);

  /// What this node's own certificate says.
  const tls_peer& own() const { return own_; }
  /// For the log: what is not wrong but unwise about the files.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Does the handshake of the listening side over a connected socket. `remote` names the other end
  /// in errors: an address. Errors: `refused` (no certificate, unknown CA, expired, ...),
  /// `incompatible_peer` (another cluster, TLS 1.2, no TLS at all), `node_lost` (the connection
  /// ended). Of these the other side learns in a TLS alert.
  kj::Promise<result<tls_connection>>
  accept(kj::UnixEventPort& port, kj::Own<kj::AsyncIoStream> socket, std::string remote) const;

  /// The same of the dialling side. `host` is what was dialled, a name or an address: a certificate
  /// that lists hosts is refused at any other. That the listener refuses *this* node's certificate
  /// is no error here: it shows at the first read of the stream (tls_stream.hpp).
  kj::Promise<result<tls_connection>> connect(kj::UnixEventPort& port,
                                              kj::Own<kj::AsyncIoStream> socket, std::string remote,
                                              std::string host) const;

private:
  tls_context(std::shared_ptr<ssl_ctx_st> settings, tls_peer own,
              std::vector<std::string> warnings);

  std::shared_ptr<ssl_ctx_st> openssl_;
  tls_peer own_;
  std::vector<std::string> warnings_;
};

} // namespace gradmesh::env
