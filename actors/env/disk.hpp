#pragma once

/// The disk as the rest of Gradmesh sees it: whole files in, whole files out, and files that grow
/// (logs). Production is `make_disk()`, tests use `memory_disk`.
///
/// Failure: every error names the path and the system's reason. A `write` that fails leaves the
/// file as it was, and so does a crash in the middle of one: a reader finds the old bytes or the
/// new. A growing file keeps what was appended before a failure; its format must tell whether it is
/// whole. Limits: a read takes the most bytes it may return; only regular files are read (a pipe
/// could block for ever). Threads: one object may be used by several threads at once.

#include "actors/error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::env {

struct file_info {
  std::string name; // without the folder
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0; // since 1970; serves to notice a change, nothing else

  bool operator==(const file_info&) const = default;
};

/// A file that grows. Used by one thread at a time.
class growing_file {
public:
  virtual ~growing_file() = default;

  /// Errors: `io_failed`; then a part of the bytes may be in the file.
  virtual result<void> append(std::string_view bytes) = 0;

  /// On return all that was appended is on the medium. Errors: `io_failed`.
  virtual result<void> sync() = 0;
};

class disk {
public:
  virtual ~disk() = default;

  /// The whole file. Errors: `not_found` (cannot be opened), `limit_exceeded` (longer than
  /// `bytes_max`), `io_failed`.
  virtual result<std::string> read(const std::string& path, std::uint64_t bytes_max) = 0;

  /// `bytes` bytes from `offset` on. Errors: `not_found`, `io_failed`, also if the file ends
  /// before.
  virtual result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                        std::uint64_t bytes) = 0;

  /// Replaces or creates the file; on return its bytes and its name are on the medium. The folder
  /// must exist. Errors: `io_failed`.
  virtual result<void> write(const std::string& path, std::string_view bytes) = 0;

  /// An empty file in the place of what was there. The folder must exist. Errors: `io_failed`.
  virtual result<std::unique_ptr<growing_file>> create(const std::string& path) = 0;

  /// The file that is there, to be continued behind its first `keep` bytes; on return the rest of
  /// it is gone from the medium (the torn end of a log). Errors: `not_found`, `io_failed`, also if
  /// the file is shorter.
  virtual result<std::unique_ptr<growing_file>> reopen(const std::string& path,
                                                       std::uint64_t keep) = 0;

  /// Takes away a file, or a folder with nothing in it; on return its name is gone from the medium.
  /// Errors: `not_found`, `io_failed`.
  virtual result<void> remove(const std::string& path) = 0;

  /// Whether something of this name is there.
  virtual bool exists(const std::string& path) = 0;

  /// Makes the folder and its parents; no error if it is there already: whoever made it may have
  /// ended before its name was on the medium. On return it is, and so are its parents'. Errors:
  /// `io_failed`; then those that it made are gone again.
  virtual result<void> create_directories(const std::string& path) = 0;

  /// The regular files in a folder (not below it), by name. Errors: `not_found`, `io_failed`.
  virtual result<std::vector<file_info>> list(const std::string& directory) = 0;

  /// The names of the folders in a folder, in order. Errors: `not_found`, `io_failed`.
  virtual result<std::vector<std::string>> list_folders(const std::string& directory) = 0;
};

std::unique_ptr<disk> make_disk();

} // namespace gradmesh::env
