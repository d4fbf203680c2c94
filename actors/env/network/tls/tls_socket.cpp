#include "actors/env/network/tls/tls_socket.hpp"

#include "actors/env/descriptor.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace gradmesh::env {
namespace {

/// More than the stream ever collects, with its largest record and the messages of a handshake.
/// Only answers to a peer that changes its keys again and again, without reading, come to more.
constexpr std::size_t outgoing_bytes_max = 512u << 10;

bool is_for_later(int code) {
  return code == EAGAIN || code == EWOULDBLOCK;
}

} // namespace

tls_socket::tls_socket(kj::UnixEventPort& port, kj::AutoCloseFd descriptor)
    : descriptor_(kj::mv(descriptor)),
      observer_(port, descriptor_.get(), kj::UnixEventPort::FdObserver::OBSERVE_READ_WRITE) {}

bio_ptr tls_socket::make_bio() {
  bio_ptr bio(BIO_new(bridge()));
  BIO_set_data(bio.get(), this);
  BIO_set_init(bio.get(), 1);
  return bio;
}

bool tls_socket::flush() {
  while (waiting() > 0) {
    // A peer that is gone must cost an error, not the signal SIGPIPE.
    const auto count = ::send(descriptor(), outgoing_.data() + sent_, waiting(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && is_for_later(errno)) return false;
    if (count < 0)
      kj::throwFatalException(kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                                            kj::str("send(): ", errno_text().c_str())));
    sent_ += static_cast<std::size_t>(count);
  }
  outgoing_.clear();
  sent_ = 0;
  return true;
}

const BIO_METHOD* tls_socket::bridge() {
  static const std::unique_ptr<BIO_METHOD, freed_by<BIO_meth_free>> method = [] {
    std::unique_ptr<BIO_METHOD, freed_by<BIO_meth_free>> made(
        BIO_meth_new(BIO_TYPE_SOURCE_SINK, "gradmesh socket"));
    BIO_meth_set_write_ex(made.get(), on_write);
    BIO_meth_set_read_ex(made.get(), on_read);
    BIO_meth_set_ctrl(made.get(), on_control);
    return made;
  }();
  return method.get();
}

int tls_socket::on_write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
  auto& self = *static_cast<tls_socket*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self.outgoing_.size() + size > outgoing_bytes_max) {
    self.overrun_ = true;
    return 0;
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  self.outgoing_.insert(self.outgoing_.end(), bytes, bytes + size);
  *written = size;
  return 1;
}

int tls_socket::on_read(BIO* bio, char* data, std::size_t size, std::size_t* got) {
  auto& self = *static_cast<tls_socket*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t count = 0;
  do
    count = ::recv(self.descriptor(), data, size, 0);
  while (count < 0 && errno == EINTR);
  if (count > 0) {
    *got = static_cast<std::size_t>(count);
    return 1;
  }
  if (count == 0) {
    self.ended_ = true;
  } else if (is_for_later(errno)) {
    BIO_set_retry_read(bio);
  } else {
    self.read_errno_ = errno;
  }
  return 0;
}

long tls_socket::on_control(BIO*, int command, long, void*) {
  // The rest is asked of files and datagrams.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

} // namespace gradmesh::env
