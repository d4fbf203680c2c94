#include "actors/env/network/tls/tls_context.hpp"

#include "actors/env/network/tls/tls_credentials.hpp"
#include "actors/env/network/tls/tls_handshake.hpp"

namespace gradmesh::env {
namespace {

/// The fastest first; the listener's order counts.
constexpr const char* ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// Bytes of a peer's certificates.
constexpr long certificates_bytes_max = 32 << 10;

error cannot_use(const std::string& what) {
  return {errc::invalid_config, "OpenSSL cannot use " + what + ": " + openssl_reason()};
}

/// What holds for every connection, whatever the files say.
bool set_rules(SSL_CTX& c) {
  SSL_CTX_set_options(&c, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(&c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(&c, certificates_bytes_max);
  return SSL_CTX_set_min_proto_version(&c, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(&c, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(&c, ciphers) == 1 && SSL_CTX_set_num_tickets(&c, 0) == 1;
}

bool set_credentials(SSL_CTX& c, const tls_credentials& files) {
  SSL_CTX_set_cert_store(&c, make_store(files.authorities).release());
  if (SSL_CTX_use_certificate(&c, files.chain.front().get()) != 1) return false;
  for (std::size_t i = 1; i < files.chain.size(); ++i)
    if (SSL_CTX_add1_chain_cert(&c, files.chain[i].get()) != 1) return false;
  return SSL_CTX_use_PrivateKey(&c, files.key.get()) == 1;
}

} // namespace

result<std::shared_ptr<const tls_context>> tls_context::make(const tls_settings& settings,
                                                             disk& files) {
  auto credentials = load_credentials(settings, files);
  if (!credentials) return credentials.failure();
  const std::shared_ptr<SSL_CTX> openssl(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  if (!openssl || !set_rules(*openssl)) return cannot_use("TLS 1.3");
  if (!set_credentials(*openssl, *credentials)) return cannot_use("the certificate and key");
  tls_handshake::set_verification(*openssl);
  return std::shared_ptr<const tls_context>(
      new tls_context(openssl, std::move(credentials->own), std::move(credentials->warnings)));
}

tls_context::tls_context(std::shared_ptr<ssl_ctx_st> settings, tls_peer own,
                         std::vector<std::string> warnings)
    : openssl_(std::move(settings)), own_(std::move(own)), warnings_(std::move(warnings)) {}

kj::Promise<result<tls_connection>> tls_context::accept(kj::UnixEventPort& port,
                                                        kj::Own<kj::AsyncIoStream> socket,
                                                        std::string remote) const {
  return tls_handshake::run(*openssl_, port, kj::mv(socket),
                            {.cluster = own_.cluster, .remote = std::move(remote), .host = {}});
}

kj::Promise<result<tls_connection>> tls_context::connect(kj::UnixEventPort& port,
                                                         kj::Own<kj::AsyncIoStream> socket,
                                                         std::string remote,
                                                         std::string host) const {
  return tls_handshake::run(
      *openssl_, port, kj::mv(socket),
      {.cluster = own_.cluster, .remote = std::move(remote), .host = std::move(host)});
}

} // namespace gradmesh::env
