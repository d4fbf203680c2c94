#pragma once

/// A CA and the certificates of two nodes for the length of a benchmark, in a folder of their own
/// that goes with the object.

#include "tools/bench/link_end.hpp"
#include "tools/bench/scratch_folder.hpp"

namespace gradmesh::tools::bench {

class scratch_certificates {
public:
  /// Errors: `io_failed`, those of OpenSSL.
  static result<scratch_certificates> make();
  tls_files files(link_side side) const;

private:
  explicit scratch_certificates(scratch_folder folder) : folder_(std::move(folder)) {}

  scratch_folder folder_;
};

} // namespace gradmesh::tools::bench
