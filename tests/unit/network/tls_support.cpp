#include "tests/unit/network/tls_support.hpp"

#include <fcntl.h>
#include <kj/debug.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/ioctl.h>

namespace gradmesh::env::test {
namespace {

template <class T>
T must(result<T> r) {
  if (!r) FAIL(r.failure().text);
  return *std::move(r);
}

template <class Write>
std::string pem(Write write) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  REQUIRE(write(memory.get()) == 1);
  return std::string(written(*memory));
}

kj::AutoCloseFd duplicate(kj::AsyncIoStream& stream) {
  return kj::AutoCloseFd(::fcntl(KJ_ASSERT_NONNULL(stream.getFd()), F_DUPFD_CLOEXEC, 0));
}

} // namespace

validity valid_for(std::int64_t seconds) {
  const std::int64_t now = std::time(nullptr);
  return {now - 3600, now + seconds};
}

authority::authority() : files_(must(make_authority(cluster, valid_for(100'000)))) {}

certificate_and_key authority::node(const std::string& name, mesh::role_set roles,
                                    std::vector<std::string> hosts) const {
  return must(issue(files_, {name, roles, std::move(hosts), valid_for(3600)}));
}

certificate_and_key authority::odd_node(const std::vector<std::string>& uris,
                                        const validity& valid) const {
  return sign({.uris = uris, .valid = valid}, &files_);
}

certificate_and_key sign(const odd_certificate& wanted, const certificate_and_key* signer) {
  const key_ptr key(EVP_EC_gen("P-256"));
  const x509_ptr certificate(X509_new());
  auto* c = certificate.get();
  X509_set_version(c, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(c), 7);
  ASN1_TIME_set(X509_getm_notBefore(c), wanted.valid.from_s);
  ASN1_TIME_set(X509_getm_notAfter(c), wanted.valid.until_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                             0);
  X509_set_pubkey(c, key.get());
  if (wanted.may_sign) {
    const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> authority(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"));
    X509_add_ext(c, authority.get(), -1);
  }
  const general_names_ptr names(sk_GENERAL_NAME_new_null());
  for (const auto& uri : wanted.uris) {
    auto* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size()));
    auto* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    sk_GENERAL_NAME_push(names.get(), name);
  }
  if (!wanted.uris.empty()) X509_add1_ext_i2d(c, NID_subject_alt_name, names.get(), 0, 0);
  const auto issuers = signer != nullptr ? must(read_certificates(signer->certificate, "issuer"))
                                         : std::vector<x509_ptr>();
  const auto issuer_key = signer != nullptr ? must(read_key(signer->key, "issuer")) : nullptr;
  X509_set_issuer_name(c, X509_get_subject_name(issuers.empty() ? c : issuers.front().get()));
  REQUIRE(X509_sign(c, issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) > 0);
  return {pem([&](BIO* to) { return PEM_write_bio_X509(to, c); }), pem([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

tls_settings settings_in_memory() {
  return {"ca.crt", "node.crt", "node.key", cluster};
}

void put(memory_disk& disk, const authority& ca, const certificate_and_key& node) {
  REQUIRE(disk.write("ca.crt", ca.files().certificate));
  REQUIRE(disk.write("node.crt", node.certificate));
  REQUIRE(disk.write("node.key", node.key));
}

std::shared_ptr<const tls_context> context_of(const authority& ca,
                                              const certificate_and_key& node) {
  memory_disk disk;
  put(disk, ca, node);
  return must(tls_context::make(settings_in_memory(), disk));
}

outcome shake_hands(test_loop& loop, const tls_context& listener, const tls_context& dialer,
                    const std::string& host) {
  auto pipe = loop.sockets();
  auto& port = loop.io.unixEventPort;
  auto accepting =
      listener.accept(port, kj::mv(pipe.ends[0]), "the dialer").eagerlyEvaluate(nullptr);
  auto connected = loop.wait(dialer.connect(port, kj::mv(pipe.ends[1]), "the listener", host));
  return {loop.wait(kj::mv(accepting)), std::move(connected)};
}

stream_pair::stream_pair(test_loop& loop) {
  const authority ca;
  const auto context = context_of(ca, ca.node("n"));
  auto done = shake_hands(loop, *context, *context);
  listener = must(std::move(done.listener)).stream;
  dialer = must(std::move(done.dialer)).stream;
}

bare_peer::bare_peer(test_loop& loop, kj::Own<kj::AsyncIoStream> socket,
                     const bare_options& options)
    : settings_(SSL_CTX_new(TLS_method())),
      socket_(kj::heap<tls_socket>(loop.io.unixEventPort, duplicate(*socket))) {
  SSL_CTX_set_max_proto_version(settings_.get(), options.version_max);
  if (options.identity) {
    const auto certificates = must(read_certificates(options.identity->certificate, "bare"));
    const auto key = must(read_key(options.identity->key, "bare"));
    REQUIRE(SSL_CTX_use_certificate(settings_.get(), certificates.front().get()) == 1);
    for (std::size_t i = 1; i < certificates.size(); ++i)
      SSL_CTX_add1_chain_cert(settings_.get(), certificates[i].get());
    REQUIRE(SSL_CTX_use_PrivateKey(settings_.get(), key.get()) == 1);
  }
  ssl_.reset(SSL_new(settings_.get()));
  auto* bio = socket_->make_bio().release();
  SSL_set_bio(ssl_.get(), bio, bio);
  if (options.listens)
    SSL_set_accept_state(ssl_.get());
  else
    SSL_set_connect_state(ssl_.get());
}

kj::Promise<std::string> bare_peer::drive(kj::Function<int()> step) {
  ERR_clear_error();
  const int done = step();
  const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
  kj::runCatchingExceptions([&] { socket_->flush(); });
  if (error == SSL_ERROR_NONE) return std::string();
  if (error == SSL_ERROR_WANT_READ)
    return socket_->observer().whenBecomesReadable().then(
        [this, step = kj::mv(step)]() mutable { return drive(kj::mv(step)); });
  if (error == SSL_ERROR_ZERO_RETURN) return std::string("the end");
  return socket_->ended() ? std::string("cut off") : openssl_reason();
}

kj::Promise<std::string> bare_peer::shake_hands() {
  return drive([this] { return SSL_do_handshake(ssl_.get()); });
}

kj::Promise<std::string> bare_peer::read(std::size_t bytes) {
  return drive([this, left = bytes]() mutable {
    char room[1024];
    std::size_t got = 0;
    while (left > 0) {
      if (SSL_read_ex(ssl_.get(), room, std::min(left, sizeof(room)), &got) != 1) return 0;
      left -= got;
    }
    return 1;
  });
}

void bare_peer::write(std::string_view text) {
  std::size_t taken = 0;
  REQUIRE(SSL_write_ex(ssl_.get(), text.data(), text.size(), &taken) == 1);
  socket_->flush();
}

void bare_peer::update_keys() {
  REQUIRE(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
  REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
  socket_->flush();
}

std::size_t readable_bytes(int descriptor) {
  int bytes = 0;
  REQUIRE(::ioctl(descriptor, FIONREAD, &bytes) == 0);
  return static_cast<std::size_t>(bytes);
}

} // namespace gradmesh::env::test
