#include "actors/env/network/tls/tls_socket.hpp"

#include "actors/env/descriptor.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace gradmesh::env {
namespace {

/// More than the stream ever collects, with its largest record and the messages of a handshake.
/// Only answers to a peer that changes its keys again and again, without reading, come to more.
constexpr std::size_t outgoing_bytes_max = 512u << 10;

/// What one system call brings: several records where there is much to read, for each wake-up and
/// each acknowledgement of the peer's is dear. OpenSSL has such a buffer itself, but moves what is
/// in it with every record that it takes out.
constexpr std::size_t read_ahead_bytes_min = 16u << 10;
constexpr std::size_t read_ahead_bytes_max = 512u << 10;

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
  if (!self.has_read_ahead()) self.read_ahead(bio);
  *got = std::min(size, self.incoming_end_ - self.incoming_begin_);
  std::copy_n(self.incoming_.data() + self.incoming_begin_, *got,
              reinterpret_cast<std::byte*>(data));
  self.incoming_begin_ += *got;
  return *got > 0 ? 1 : 0;
}

void tls_socket::read_ahead(BIO* bio) {
  // Longer only for those who fill it: a stranger's handshake and a control lane never do.
  if (incoming_end_ == incoming_.size())
    incoming_.resize(std::clamp(2 * incoming_.size(), read_ahead_bytes_min, read_ahead_bytes_max));
  ssize_t count = 0;
  do
    count = ::recv(descriptor(), incoming_.data(), incoming_.size(), 0);
  while (count < 0 && errno == EINTR);
  incoming_begin_ = 0;
  incoming_end_ = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  if (count == 0)
    ended_ = true;
  else if (count < 0 && is_for_later(errno))
    BIO_set_retry_read(bio);
  else if (count < 0)
    read_errno_ = errno;
}

long tls_socket::on_control(BIO*, int command, long, void*) {
  // The rest is asked of files and datagrams.
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

} // namespace gradmesh::env
