#pragma once

/// INTERNAL to `actors/env`: a file descriptor that closes itself, and the text of `errno`.

#include <cerrno>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace gradmesh::env {

class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() { close(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  /// Returns 0 or -1 with `errno`, as close(2).
  int close() { return fd_ >= 0 ? ::close(std::exchange(fd_, -1)) : 0; }

private:
  int fd_;
};

/// "No such file or directory".
inline std::string errno_text(int code = errno) {
  return std::generic_category().message(code);
}

} // namespace gradmesh::env
