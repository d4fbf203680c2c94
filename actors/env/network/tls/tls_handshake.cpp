#include "actors/env/network/tls/tls_handshake.hpp"

#include "actors/env/descriptor.hpp"
#include "actors/env/network/tls/certificate.hpp"
#include "actors/env/network/tls/tls_failure.hpp"
#include "actors/env/network/tls/tls_stream.hpp"

#include "config/diagnostic.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <sys/socket.h>

namespace gradmesh::env {
namespace {

/// KJ does not give its descriptor away, and one of its own must not be watched twice.
kj::AutoCloseFd descriptor_of(kj::AsyncIoStream& stream) {
  KJ_IF_MAYBE (fd, stream.getFd()) {
    return kj::AutoCloseFd(::fcntl(*fd, F_DUPFD_CLOEXEC, 0));
  }
  return {};
}

} // namespace

void tls_handshake::set_verification(SSL_CTX& settings) {
  SSL_CTX_set_verify(&settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(&settings, on_certificate, nullptr);
}

kj::Promise<result<tls_connection>> tls_handshake::run(SSL_CTX& settings, kj::UnixEventPort& port,
                                                       kj::Own<kj::AsyncIoStream> socket,
                                                       tls_expectation wanted) {
  auto descriptor = descriptor_of(*socket);
  if (descriptor == nullptr)
    return result<tls_connection>(errc::io_failed, "no descriptor for the TLS connection with " +
                                                       wanted.remote + ": " + errno_text());
  socket = nullptr;
  auto handshake = kj::heap<tls_handshake>(settings, port, kj::mv(descriptor), std::move(wanted));
  auto done = handshake->go_on();
  return done.attach(kj::mv(handshake));
}

tls_handshake::tls_handshake(SSL_CTX& settings, kj::UnixEventPort& port, kj::AutoCloseFd descriptor,
                             tls_expectation wanted)
    : wanted_(std::move(wanted)), socket_(kj::heap<tls_socket>(port, kj::mv(descriptor))),
      ssl_(SSL_new(&settings)) {
  SSL_set_app_data(ssl_.get(), this);
  auto bio = socket_->make_bio().release();
  SSL_set_bio(ssl_.get(), bio, bio);
  if (wanted_.host)
    SSL_set_connect_state(ssl_.get());
  else
    SSL_set_accept_state(ssl_.get());
}

kj::Promise<result<tls_connection>> tls_handshake::go_on() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  const int outcome = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
  if (outcome != SSL_ERROR_NONE && outcome != SSL_ERROR_WANT_READ)
    return result<tls_connection>(failure());
  bool flushed = false;
  KJ_IF_MAYBE (broken, kj::runCatchingExceptions([&] { flushed = socket_->flush(); })) {
    return result<tls_connection>(
        errc::node_lost, "the connection with " + wanted_.remote +
                             " broke in the TLS handshake: " + broken->getDescription().cStr());
  }
  if (outcome == SSL_ERROR_NONE) {
    SSL_set_app_data(ssl_.get(), nullptr);
    return result<tls_connection>(
        tls_connection{kj::heap<tls_stream>(kj::mv(socket_), std::move(ssl_)), std::move(peer_)});
  }
  auto& observer = socket_->observer();
  return (flushed ? observer.whenBecomesReadable() : observer.whenBecomesWritable()).then([this] {
    return go_on();
  });
}

int tls_handshake::on_certificate(X509_STORE_CTX* verification, void*) {
  const auto* ssl = static_cast<SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<tls_handshake*>(SSL_get_app_data(ssl));
  auto accepted = self.accept_certificate(*verification);
  if (accepted) return 1;
  self.rejected_ = accepted.failure();
  return 0;
}

result<void> tls_handshake::accept_certificate(X509_STORE_CTX& verification) {
  auto& certificate = *X509_STORE_CTX_get0_cert(&verification);
  const auto name = config::quoted(common_name(*X509_get_subject_name(&certificate)));
  const auto refused = [&](errc code, const std::string& why) {
    // OpenSSL has set an error of its own where the chain is at fault; this one becomes the alert
    // "bad certificate".
    if (X509_STORE_CTX_get_error(&verification) == X509_V_OK)
      X509_STORE_CTX_set_error(&verification, X509_V_ERR_CERT_REJECTED);
    return error{code, "the certificate of " + name + " that " + wanted_.remote +
                           " shows is refused: " + why};
  };
  if (X509_verify_cert(&verification) != 1)
    return refused(errc::refused, rejection_of(verification));
  const auto named = identity_of(certificate);
  if (!named) return refused(errc::refused, named.failure().text);
  if (named->cluster != wanted_.cluster)
    return refused(errc::incompatible_peer, "it is for the cluster '" + named->cluster +
                                                "', and this node belongs to '" + wanted_.cluster +
                                                "'");
  if (wanted_.host && !fits_host(certificate, *wanted_.host))
    return refused(errc::refused,
                   "it is not for the host '" + *wanted_.host + "' that was dialled");
  peer_ = *named;
  return {};
}

error tls_handshake::failure() {
  auto why = [&]() -> error {
    if (rejected_) return *rejected_;
    if (socket_->ended())
      return {errc::node_lost, wanted_.remote + " closed the connection in the TLS handshake"};
    if (const int code = socket_->read_errno())
      return {errc::node_lost, "the connection with " + wanted_.remote +
                                   " broke in the TLS handshake: " + errno_text(code)};
    return handshake_failure(wanted_.remote);
  }();
  ERR_clear_error();
  // The alert that tells the other side; it need not succeed.
  kj::runCatchingExceptions([&] { socket_->flush(); });
  ::shutdown(socket_->descriptor(), SHUT_WR);
  return why;
}

} // namespace gradmesh::env
