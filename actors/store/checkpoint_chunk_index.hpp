#pragma once

/// Where contents lie that a new checkpoint need not write again. Does not change once made, so
/// several threads may look into one.

#include "actors/store/checkpoint_manifest.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::store {

class chunk_index {
public:
  /// Knows nothing: a full checkpoint.
  chunk_index() = default;
  /// The chunks of `base` that lie in the given files of it.
  chunk_index(const checkpoint_manifest& base, std::vector<chunk_file_entry> usable);

  struct place {
    chunk_file file;
    std::uint64_t offset = 0;
  };
  /// Null if no such content is known.
  const place* find(const checksum128& checksum, std::uint64_t bytes) const;

  /// The length of a file that `find` named.
  std::uint64_t bytes_of(const chunk_file& file) const;

private:
  struct known {
    checksum128 checksum;
    std::uint64_t bytes = 0;
    place where;
  };
  std::vector<known> known_;            // ascending by checksum and length
  std::vector<chunk_file_entry> files_; // ascending
};

} // namespace gradmesh::store
