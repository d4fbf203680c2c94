#pragma once

/// The clock logs of a job, found by the name that its `job.record` gives.

#include "actors/env/disk.hpp"
#include "actors/record/verify.hpp"

#include <deque>
#include <string>
#include <vector>

namespace gradmesh::tools {

class record_files {
public:
  /// FILE.0, FILE.1, ... of what `path` names, or of another name of these. Several paths are the
  /// logs themselves, from several machines. Errors: those of `env::disk::read`.
  static result<record_files> read(const std::vector<std::string>& paths, env::disk& disk);

  const std::vector<record::named_log>& logs() const { return logs_; }
  std::uint64_t bytes() const;

private:
  result<void> add(const std::string& path, env::disk& disk);

  std::deque<std::string> contents_; // does not move what the logs look at
  std::vector<record::named_log> logs_;
};

} // namespace gradmesh::tools
