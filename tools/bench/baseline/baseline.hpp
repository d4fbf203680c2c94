#pragma once

/// What a link is measured against: the simplest program that moves the same bytes. A baseline
/// knows nothing of frames, queues or event loops: one thread writes, one thread reads, both block.

#include "actors/error.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace gradmesh::tools::bench {

class baseline {
public:
  virtual ~baseline() = default;

  virtual const char* name() const = 0;
  /// Messages of so many bytes, one after another without waiting: GB/s, to the moment when the
  /// last one has been read. Errors: the other process is gone, or the system's.
  virtual result<double> goodput(std::uint64_t bytes, std::chrono::duration<double> time) = 0;
  /// Median time from a message of so many bytes to a short answer, in microseconds; nothing where
  /// there is nobody to answer. Errors as above.
  virtual result<std::optional<double>> rtt_us(std::uint64_t bytes,
                                               std::chrono::duration<double> time) = 0;
};

/// PEM files of one side.
struct tls_files {
  std::string ca;
  std::string certificate;
  std::string key;
};

/// "raw_tcp": blocking sockets over loopback, a process at each end. `touch`: the reader looks at
/// every cache line of what it has read. Errors: `io_failed`, those of the other process.
result<std::unique_ptr<baseline>> make_raw_tcp(bool touch);
/// "openssl": the same through OpenSSL, TLS 1.3 with the cipher that links take, both sides
/// authenticated.
result<std::unique_ptr<baseline>> make_openssl(const tls_files& ours, const tls_files& theirs,
                                               bool touch);
/// "memcpy": from one buffer into another, within this thread.
std::unique_ptr<baseline> make_memcpy(bool touch);

} // namespace gradmesh::tools::bench
