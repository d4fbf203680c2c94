#pragma once

/// A CA and the certificates of two nodes for the length of a benchmark, in a folder of their own
/// that goes with the object.

#include "tools/bench/link_end.hpp"

#include <filesystem>

namespace gradmesh::tools::bench {

class scratch_certificates {
public:
  /// Errors: `io_failed`, those of OpenSSL.
  static result<scratch_certificates> make();
  scratch_certificates(scratch_certificates&& other) noexcept;
  scratch_certificates& operator=(scratch_certificates&&) = delete;
  ~scratch_certificates();

  tls_files files(link_side side) const;

private:
  explicit scratch_certificates(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
};

} // namespace gradmesh::tools::bench
