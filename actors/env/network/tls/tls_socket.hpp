#pragma once

/// INTERNAL: what OpenSSL reads from and writes to: a non-blocking socket of the KJ loop. Encrypted
/// bytes come and leave in one system call for several records, which is what makes this faster
/// than OpenSSL on the bare descriptor. Lives on the loop thread; stays where it is, for OpenSSL
/// holds its address.

#include "actors/env/network/tls/openssl.hpp"

#include <kj/async-unix.h>
#include <kj/io.h>

#include <cstddef>
#include <vector>

namespace gradmesh::env {

class tls_socket {
public:
  /// Takes a descriptor that is non-blocking.
  tls_socket(kj::UnixEventPort& port, kj::AutoCloseFd descriptor);
  tls_socket(const tls_socket&) = delete;
  tls_socket& operator=(const tls_socket&) = delete;

  /// The bridge for one SSL object, which must not outlive this.
  bio_ptr make_bio();

  int descriptor() const { return descriptor_.get(); }
  kj::UnixEventPort::FdObserver& observer() { return observer_; }

  /// Whether encrypted bytes are here that OpenSSL has not asked for yet.
  bool has_read_ahead() const { return incoming_begin_ < incoming_end_; }

  /// Encrypted bytes that the system has not taken yet.
  std::size_t waiting() const { return outgoing_.size() - sent_; }

  /// Hands them to the system. True: all are gone; false: it takes no more for now, wait until the
  /// observer sees it writable. Throws kj::Exception (DISCONNECTED) when the connection is broken.
  bool flush();

  /// The other side closed its direction: OpenSSL has been told of the end.
  bool ended() const { return ended_; }
  /// The error with which the socket failed OpenSSL, 0 for none.
  int read_errno() const { return read_errno_; }
  /// OpenSSL wanted to say more than this keeps.
  bool overrun() const { return overrun_; }

private:
  static const BIO_METHOD* bridge();
  static int on_write(BIO* bio, const char* data, std::size_t size, std::size_t* written);
  static int on_read(BIO* bio, char* data, std::size_t size, std::size_t* got);
  static long on_control(BIO* bio, int command, long number, void* pointer);
  void read_ahead(BIO* bio);

  kj::AutoCloseFd descriptor_;
  kj::UnixEventPort::FdObserver observer_;
  std::vector<std::byte> incoming_;
  std::size_t incoming_begin_ = 0;
  std::size_t incoming_end_ = 0;
  std::vector<std::byte> outgoing_;
  std::size_t sent_ = 0;
  bool ended_ = false;
  bool overrun_ = false;
  int read_errno_ = 0;
};

} // namespace gradmesh::env
