#pragma once

/// The coordinator's log of its job. The file is specified in schema/job_log.capnp.
///
/// A record is on the medium when `append` returns without an error, and only then may the
/// coordinator act on it. After an error nothing more is written: what is on the medium is not
/// known then, so the coordinator has to end, and its next life reads what there is. One owner, one
/// thread.

#include "actors/coordinator/job_record.hpp"
#include "actors/env/disk.hpp"
#include "actors/rules.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gradmesh::coordinator {

inline constexpr std::uint32_t job_log_version = 1;

class job_log {
public:
  /// The log in a folder, which is made if there is none. Errors: `io_failed`, and those of
  /// `read_job_log` with what to do about them.
  static result<std::unique_ptr<job_log>> open(std::shared_ptr<env::disk> disk,
                                               const std::string& folder, rule_set rules);

  /// As it was opened: the latest record; nothing if no job was ever submitted.
  const std::optional<job_record>& found() const { return found_; }
  std::uint64_t records() const { return records_; }
  const std::string& path() const { return path_; }

  /// Errors: `io_failed`, `limit_exceeded` (of a record). From then on always the same one.
  result<void> append(const job_record& record);
  /// The same for the first record of a job; those before it are dropped.
  result<void> begin(const job_record& record);
  /// The error after which nothing is written any more, if there was one.
  const error& failure() const { return failure_; }

private:
  job_log(std::shared_ptr<env::disk> disk, std::string path, rule_set rules)
      : disk_(std::move(disk)), path_(std::move(path)), rules_(rules) {}

  /// Puts a file with these records in the place of the old one.
  result<void> replace(std::string_view records);
  result<void> fail(const error& why);

  std::shared_ptr<env::disk> disk_;
  std::string path_;
  rule_set rules_;
  std::unique_ptr<env::growing_file> file_;
  std::uint64_t bytes_ = 0;
  std::uint64_t records_ = 0; // written in this life
  std::optional<job_record> found_;
  error failure_;
};

/// What a log's file begins with.
std::string job_log_header();
/// A record as it stands in the file. Errors: `limit_exceeded`.
result<std::string> encode_log_record(const job_record& record);

/// The last whole record of a log, as it stands in the file; empty if it has none. Errors:
/// `malformed_data` (damage, a newer format).
result<std::string_view> last_log_record(std::string_view file);
/// What such a record says. Errors: `malformed_data`.
result<job_record> decode_log_record(std::string_view record);

} // namespace gradmesh::coordinator
