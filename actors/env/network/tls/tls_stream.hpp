#pragma once

/// A byte stream over an established TLS connection, in the way of KJ: one read and one write at a
/// time, both may be outstanding at once; the bytes of a write must live until it resolves, which
/// is when the system has taken them. Lives on the loop thread. Destroying it closes the connection
/// without a farewell.
///
/// An end of the connection without close_notify is an end like any other: frames carry their own
/// length and notice a cut. Cancelling a read is safe, and loses what it had taken in. Cancelling a
/// write may leave half of it with the peer: close the stream.
///
/// Errors come as kj::Exception: DISCONNECTED for a broken connection, FAILED for bytes that the
/// peer did not encrypt or an alert of its; the text says which. A listener that refuses a
/// dialer's certificate says so in an alert that arrives at the dialer's *first read*, for in TLS
/// 1.3 the dialer's handshake is over before the listener has seen its certificate.

#include "actors/env/network/tls/tls_socket.hpp"

#include <kj/async-io.h>

#include <span>

namespace gradmesh::env {

// An Own destroys it as what it is; KJ's interfaces therefore have no virtual destructor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

class tls_stream final : public kj::AsyncIoStream {
public:
  /// `ssl` has finished its handshake over `socket`.
  tls_stream(kj::Own<tls_socket> socket, ssl_ptr ssl);

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t bytes_min,
                                   std::size_t bytes_max) override;
  kj::Promise<void> write(const void* buffer, std::size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override;

  /// Ends this direction by close_notify, behind all that was written. What the peer still sends
  /// can be read.
  void shutdownWrite() override;
  void abortRead() override;

  void getsockopt(int level, int option, void* value, kj::uint* length) override;
  void setsockopt(int level, int option, const void* value, kj::uint length) override;
  void getsockname(sockaddr* address, kj::uint* length) override;
  void getpeername(sockaddr* address, kj::uint* length) override;
  kj::Maybe<int> getFd() const override { return socket_->descriptor(); }

private:
  /// The part of a write that is not encrypted yet.
  class unsent {
  public:
    unsent() = default;
    explicit unsent(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces);
    bool empty() const { return left_.size() == 0; }
    /// The next bytes for one record: of a large piece as they lie there, of small ones put
    /// together in `room`.
    std::span<const kj::byte> next_record(std::span<kj::byte> room);

  private:
    void skip(std::size_t size);
    void skip_empty();

    kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> left_;
    std::size_t offset_ = 0; // in the first of them
  };

  kj::Promise<std::size_t> read_on(std::span<kj::byte> to, std::size_t bytes_min, std::size_t got);
  kj::Exception read_failure();
  kj::Promise<void> write_on();
  void encrypt_batch();
  /// Sends what OpenSSL had to say by itself, unless a write will.
  void flush_aside();
  kj::Promise<void> flush_rest();

  kj::Own<tls_socket> socket_;
  ssl_ptr ssl_;
  unsent unsent_;
  kj::ArrayPtr<const kj::byte> only_piece_;
  bool writing_ = false;
  bool shut_down_ = false;
  kj::Promise<void> aside_ = nullptr;
  kj::Maybe<kj::ForkedPromise<void>> write_disconnected_;
};

#pragma GCC diagnostic pop

} // namespace gradmesh::env
