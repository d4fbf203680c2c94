#pragma once

/// TCP on loopback, for tests: each call waits for a stated time at most.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace gradmesh::testing {

class tcp_end {
public:
  explicit tcp_end(int fd = -1) : fd_(fd) {}
  tcp_end(tcp_end&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  tcp_end& operator=(tcp_end&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~tcp_end() { close(); }

  static tcp_end dial(std::uint16_t port);

  bool is_open() const { return fd_ >= 0; }
  std::uint16_t local_port() const;
  void send(const std::string& bytes) const;
  /// So many bytes, or fewer where the time is over or the connection has ended.
  std::string receive(std::size_t count, std::chrono::milliseconds limit) const;
  /// Whether the connection ends within the time, without a byte before.
  bool ends(std::chrono::milliseconds limit) const;
  void close();

private:
  int fd_;
};

class tcp_listener {
public:
  tcp_listener();
  ~tcp_listener();
  tcp_listener(const tcp_listener&) = delete;
  tcp_listener& operator=(const tcp_listener&) = delete;

  std::uint16_t port() const { return port_; }
  tcp_end accept(std::chrono::milliseconds limit) const;

private:
  int fd_;
  std::uint16_t port_ = 0;
};

} // namespace gradmesh::testing
