#pragma once

/// Blocking streams of bytes between two processes, plain or through OpenSSL.

#include "tools/bench/baseline/baseline.hpp"

#include <span>

namespace gradmesh::tools::bench {

class byte_stream {
public:
  virtual ~byte_stream() = default;
  /// False when the connection is gone.
  virtual bool write_all(std::span<const std::byte> bytes) = 0;
  virtual bool read_all(std::span<std::byte> to) = 0;
};

/// A listening socket of this process on 127.0.0.1.
class stream_listener {
public:
  /// Errors: `io_failed`.
  static result<stream_listener> open();
  stream_listener(stream_listener&& other) noexcept;
  stream_listener& operator=(stream_listener&&) = delete;
  ~stream_listener();

  std::uint16_t port() const { return port_; }
  /// Waits for one connection. With `tls`: files of this side. Errors: `io_failed`.
  result<std::unique_ptr<byte_stream>> accept(const std::optional<tls_files>& tls);

private:
  stream_listener(int socket, std::uint16_t port) : socket_(socket), port_(port) {}
  int socket_;
  std::uint16_t port_;
};

/// To a listener on this host. Errors: `io_failed`.
result<std::unique_ptr<byte_stream>> connect_stream(std::uint16_t port,
                                                    const std::optional<tls_files>& tls);

} // namespace gradmesh::tools::bench
