#include "tools/bench/baseline/byte_stream.hpp"

#include "actors/env/descriptor.hpp"
#include "actors/env/network/tls/openssl.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace gradmesh::tools::bench {
namespace {

/// The first of those that links offer.
constexpr const char* cipher = "TLS_AES_128_GCM_SHA256";

error system_error(const std::string& what) {
  return {errc::io_failed, what + ": " + env::errno_text()};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class tcp_stream final : public byte_stream {
public:
  explicit tcp_stream(env::descriptor socket) : socket_(std::move(socket)) {}

  bool write_all(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }

  bool read_all(std::span<std::byte> to) override {
    while (!to.empty()) {
      const auto got = recv(socket_.get(), to.data(), to.size(), 0);
      if (got <= 0) return false;
      to = to.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }

private:
  env::descriptor socket_;
};

class tls_stream final : public byte_stream {
public:
  tls_stream(env::descriptor socket, env::ssl_context_ptr context, env::ssl_ptr ssl)
      : socket_(std::move(socket)), context_(std::move(context)), ssl_(std::move(ssl)) {}

  bool write_all(std::span<const std::byte> bytes) override {
    std::size_t sent = 0; // all of it: partial writes are not enabled
    return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent) == 1;
  }

  bool read_all(std::span<std::byte> to) override {
    while (!to.empty()) {
      std::size_t got = 0;
      if (SSL_read_ex(ssl_.get(), to.data(), to.size(), &got) != 1) return false;
      to = to.subspan(got);
    }
    return true;
  }

private:
  env::descriptor socket_;
  env::ssl_context_ptr context_;
  env::ssl_ptr ssl_;
};

env::ssl_context_ptr make_context(const tls_files& files) {
  env::ssl_context_ptr context(SSL_CTX_new(TLS_method()));
  auto* c = context.get();
  const bool made = c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_ciphersuites(c, cipher) == 1 &&
                    SSL_CTX_set_num_tickets(c, 0) == 1 &&
                    SSL_CTX_load_verify_locations(c, files.ca.c_str(), nullptr) == 1 &&
                    SSL_CTX_use_certificate_chain_file(c, files.certificate.c_str()) == 1 &&
                    SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!made) return nullptr;
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

result<std::unique_ptr<byte_stream>> wrap(env::descriptor socket,
                                          const std::optional<tls_files>& tls, bool accepted) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!tls) return std::unique_ptr<byte_stream>(std::make_unique<tcp_stream>(std::move(socket)));
  auto context = make_context(*tls);
  env::ssl_ptr ssl(context ? SSL_new(context.get()) : nullptr);
  const bool open = ssl && SSL_set_fd(ssl.get(), socket.get()) == 1 &&
                    (accepted ? SSL_accept(ssl.get()) : SSL_connect(ssl.get())) == 1;
  if (!open)
    return error{errc::io_failed,
                 "cannot open the TLS connection of the baseline: " + env::openssl_reason()};
  return std::unique_ptr<byte_stream>(
      std::make_unique<tls_stream>(std::move(socket), std::move(context), std::move(ssl)));
}

} // namespace

result<stream_listener> stream_listener::open() {
  const int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return system_error("cannot open a socket");
  stream_listener listener(raw, 0);
  auto address = loopback(0);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(raw, generic, length) != 0 || listen(raw, 1) != 0 ||
      getsockname(raw, generic, &length) != 0)
    return system_error("cannot listen on 127.0.0.1");
  listener.port_ = ntohs(address.sin_port);
  return listener;
}

stream_listener::stream_listener(stream_listener&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), port_(other.port_) {}

stream_listener::~stream_listener() {
  if (socket_ >= 0) close(socket_);
}

result<std::unique_ptr<byte_stream>> stream_listener::accept(const std::optional<tls_files>& tls) {
  env::descriptor socket(accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return system_error("cannot take a connection");
  return wrap(std::move(socket), tls, true);
}

result<std::unique_ptr<byte_stream>> connect_stream(std::uint16_t port,
                                                    const std::optional<tls_files>& tls) {
  env::descriptor open(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback(port);
  if (!open ||
      connect(open.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return system_error("cannot connect to 127.0.0.1:" + std::to_string(port));
  return wrap(std::move(open), tls, false);
}

} // namespace gradmesh::tools::bench
