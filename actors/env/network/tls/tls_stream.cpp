#include "actors/env/network/tls/tls_stream.hpp"

#include "actors/env/network/tls/tls_failure.hpp"

#include <kj/debug.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gradmesh::env {
namespace {

/// The most that one TLS record carries.
constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
/// Encrypted bytes collected for one system call.
constexpr std::size_t batch_bytes = 128u << 10;
/// Then other connections of the loop get a turn.
constexpr int batches_per_turn = 4;

kj::Exception socket_failure(const char* call) {
  return {kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
          kj::str(call, ": ", strerror(errno))};
}

} // namespace

tls_stream::tls_stream(kj::Own<tls_socket> socket, ssl_ptr ssl)
    : socket_(kj::mv(socket)), ssl_(std::move(ssl)) {
  flush_aside();
}

kj::Promise<std::size_t> tls_stream::tryRead(void* buffer, std::size_t bytes_min,
                                             std::size_t bytes_max) {
  return kj::evalNow([&] {
    return read_on({static_cast<kj::byte*>(buffer), bytes_max}, bytes_min, 0);
  });
}

kj::Promise<std::size_t> tls_stream::read_on(std::span<kj::byte> to, std::size_t bytes_min,
                                             std::size_t got) {
  while (got < to.size()) {
    std::size_t count = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), to.data() + got, to.size() - got, &count) == 1) {
      got += count;
      if (got >= bytes_min && SSL_has_pending(ssl_.get()) == 0 && !socket_->has_read_ahead()) break;
      continue;
    }
    const int outcome = SSL_get_error(ssl_.get(), 0);
    if (outcome == SSL_ERROR_WANT_READ) {
      if (got >= bytes_min) break;
      flush_aside();
      return socket_->observer().whenBecomesReadable().then(
          [this, to, bytes_min, got] { return read_on(to, bytes_min, got); });
    }
    if (outcome == SSL_ERROR_ZERO_RETURN || socket_->ended()) break;
    return read_failure();
  }
  flush_aside();
  return got;
}

kj::Exception tls_stream::read_failure() {
  flush_aside(); // an alert that tells the peer
  if (const int code = socket_->read_errno()) {
    errno = code;
    return socket_failure("recv()");
  }
  const auto why = socket_->overrun()
                       ? "the peer changes its keys again and again without reading the answers"
                       : failure_in_stream();
  return {kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(why.c_str())};
}

kj::Promise<void> tls_stream::write(const void* buffer, std::size_t size) {
  only_piece_ = {static_cast<const kj::byte*>(buffer), size};
  return write(kj::arrayPtr(&only_piece_, 1));
}

kj::Promise<void> tls_stream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  KJ_REQUIRE(!writing_, "one write at a time");
  unsent_ = unsent(pieces);
  writing_ = true;
  aside_ = nullptr; // what it had left goes before this
  auto done = kj::evalNow([this] { return write_on(); });
  if (!writing_) return done;
  return done.attach(kj::defer([this] {
    unsent_ = {};
    writing_ = false;
  }));
}

kj::Promise<void> tls_stream::write_on() {
  for (int i = 0; i <= batches_per_turn; ++i) {
    if (!socket_->flush())
      return socket_->observer().whenBecomesWritable().then([this] { return write_on(); });
    if (unsent_.empty()) {
      writing_ = false;
      return kj::READY_NOW;
    }
    encrypt_batch();
  }
  return kj::evalLater([this] { return write_on(); });
}

void tls_stream::encrypt_batch() {
  std::array<kj::byte, record_bytes> room;
  while (!unsent_.empty() && socket_->waiting() < batch_bytes) {
    const auto record = unsent_.next_record(room);
    std::size_t taken = 0;
    ERR_clear_error();
    // The socket takes whatever OpenSSL gives it, so that a record is never left half done.
    if (SSL_write_ex(ssl_.get(), record.data(), record.size(), &taken) != 1)
      kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                            kj::str(failure_in_stream().c_str())));
    KJ_ASSERT(taken == record.size());
  }
}

void tls_stream::flush_aside() {
  if (writing_ || socket_->waiting() == 0) return;
  // Whether the connection is broken, the next read or write tells.
  aside_ = kj::evalNow([this] { return flush_rest(); }).eagerlyEvaluate([](kj::Exception&&) {});
}

kj::Promise<void> tls_stream::flush_rest() {
  if (!socket_->flush())
    return socket_->observer().whenBecomesWritable().then([this] { return flush_rest(); });
  return kj::READY_NOW;
}

void tls_stream::shutdownWrite() {
  KJ_REQUIRE(!writing_, "a write is under way");
  if (std::exchange(shut_down_, true)) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  aside_ = kj::evalNow([this] { return flush_rest(); }).eagerlyEvaluate([](kj::Exception&&) {});
}

void tls_stream::abortRead() {
  ::shutdown(socket_->descriptor(), SHUT_RD);
}

kj::Promise<void> tls_stream::whenWriteDisconnected() {
  KJ_IF_MAYBE (known, write_disconnected_) {
    return known->addBranch();
  }
  return write_disconnected_.emplace(socket_->observer().whenWriteDisconnected().fork())
      .addBranch();
}

void tls_stream::getsockopt(int level, int option, void* value, kj::uint* length) {
  if (::getsockopt(socket_->descriptor(), level, option, value, length) != 0)
    kj::throwRecoverableException(socket_failure("getsockopt()"));
}

void tls_stream::setsockopt(int level, int option, const void* value, kj::uint length) {
  if (::setsockopt(socket_->descriptor(), level, option, value, length) != 0)
    kj::throwRecoverableException(socket_failure("setsockopt()"));
}

void tls_stream::getsockname(sockaddr* address, kj::uint* length) {
  if (::getsockname(socket_->descriptor(), address, length) != 0)
    kj::throwRecoverableException(socket_failure("getsockname()"));
}

void tls_stream::getpeername(sockaddr* address, kj::uint* length) {
  if (::getpeername(socket_->descriptor(), address, length) != 0)
    kj::throwRecoverableException(socket_failure("getpeername()"));
}

tls_stream::unsent::unsent(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces)
    : left_(pieces) {
  skip_empty();
}

std::span<const kj::byte> tls_stream::unsent::next_record(std::span<kj::byte> room) {
  const auto piece = left_.front().slice(offset_, left_.front().size());
  if (piece.size() >= room.size() || left_.size() == 1) {
    const auto size = std::min(piece.size(), room.size());
    skip(size);
    return {piece.begin(), size};
  }
  std::size_t used = 0;
  while (!empty() && used < room.size()) {
    const auto next = left_.front().slice(offset_, left_.front().size());
    const auto size = std::min(next.size(), room.size() - used);
    std::memcpy(room.data() + used, next.begin(), size);
    used += size;
    skip(size);
  }
  return room.first(used);
}

void tls_stream::unsent::skip(std::size_t size) {
  offset_ += size;
  skip_empty();
}

void tls_stream::unsent::skip_empty() {
  while (!empty() && offset_ == left_.front().size()) {
    left_ = left_.slice(1, left_.size());
    offset_ = 0;
  }
}

} // namespace gradmesh::env
