#include "actors/coordinator/job_log.hpp"

#include "actors/store/plain_numbers.hpp"
#include "config/diagnostic.hpp"

#include <capnp/serialize.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <xxhash.h>

namespace gradmesh::coordinator {
namespace {

using store::number_at;
using store::put;

constexpr std::string_view magic = "GMJOBLOG";
constexpr std::size_t header_bytes = 16;
constexpr std::size_t prefix_bytes = 8; // of a record
constexpr std::size_t suffix_bytes = 8;
constexpr std::uint64_t body_bytes_max = 16u << 20;
constexpr std::uint64_t file_bytes_max = 1u << 30;
/// A longer one is begun anew with the next record.
constexpr std::uint64_t file_bytes_wanted = 4u << 20;
constexpr std::uint64_t last_bit = std::uint64_t{1} << 63;
/// Reading a record counts what it goes through several times.
constexpr std::uint64_t reads_of_a_word = 8;

std::uint32_t low_sum(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

std::uint64_t end_sum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size()) | last_bit;
}

error damaged(std::uint64_t at, std::string_view what) {
  return {errc::malformed_data, fmt::format("is damaged: {} at byte {}", what, at)};
}

result<void> check_header(std::string_view file) {
  if (file.size() < header_bytes || !file.starts_with(magic))
    return error{errc::malformed_data,
                 fmt::format("is not a coordinator's log: it does not begin with {}", magic)};
  if (low_sum(file.substr(0, header_bytes - 4)) != number_at<std::uint32_t>(file, header_bytes - 4))
    return damaged(0, "the checksum of the header is wrong");
  const auto version = number_at<std::uint32_t>(file, magic.size());
  if (version != job_log_version)
    return error{errc::malformed_data,
                 fmt::format("has format {}, this program reads {}: another version of gradmesh "
                             "wrote it, and can go on with it",
                             version, job_log_version)};
  return {};
}

bool only_zeros(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char byte) { return byte == 0; });
}

/// The record that a rest of the file begins with; empty if it was never finished.
result<std::string_view> take_record(std::string_view rest, std::uint64_t at) {
  const auto prefix = rest.substr(0, prefix_bytes);
  if (prefix.size() < prefix_bytes) return std::string_view();
  if (low_sum(prefix.substr(0, 4)) != number_at<std::uint32_t>(prefix, 4)) {
    if (only_zeros(rest.substr(prefix_bytes))) return std::string_view();
    return damaged(at, "the length of a record is wrong");
  }
  const auto body = number_at<std::uint32_t>(prefix, 0);
  if (body % sizeof(capnp::word) != 0 || body > body_bytes_max)
    return damaged(at, "the length of a record makes no sense");
  const auto length = prefix_bytes + body + suffix_bytes;
  if (rest.size() < length) return std::string_view();
  const auto record = rest.substr(0, length);
  const auto sum_at = length - suffix_bytes;
  if (end_sum(record.substr(0, sum_at)) == number_at<std::uint64_t>(record, sum_at)) return record;
  if (record.back() == 0 && rest.size() == length) return std::string_view();
  return damaged(at, "the checksum of a record is wrong");
}

} // namespace

// --- the file -----------------------------------------------------------------------------------

std::string job_log_header() {
  std::string bytes(magic);
  put(bytes, job_log_version);
  put(bytes, low_sum(bytes));
  return bytes;
}

result<std::string> encode_log_record(const job_record& record) {
  capnp::MallocMessageBuilder message;
  encode(record, message.initRoot<schema::JobRecord>());
  const auto words = capnp::messageToFlatArray(message);
  const auto body = words.asChars();
  if (body.size() > body_bytes_max)
    return error{errc::limit_exceeded,
                 fmt::format("a record of job {} would take {} bytes, at most {}",
                             record.request.id, body.size(), body_bytes_max)};
  std::string bytes;
  put(bytes, static_cast<std::uint32_t>(body.size()));
  put(bytes, low_sum(bytes));
  bytes.append(body.begin(), body.size());
  put(bytes, end_sum(bytes));
  return bytes;
}

result<std::string_view> last_log_record(std::string_view file) {
  if (auto header = check_header(file); !header) return header.failure();
  std::string_view last;
  for (std::size_t at = header_bytes; at < file.size();) {
    const auto record = take_record(file.substr(at), at);
    if (!record) return record.failure();
    if (record->empty()) break;
    last = *record;
    at += record->size();
  }
  return last;
}

result<job_record> decode_log_record(std::string_view record) {
  const auto body = record.substr(prefix_bytes, record.size() - prefix_bytes - suffix_bytes);
  auto words = kj::heapArray<capnp::word>(body.size() / sizeof(capnp::word));
  if (!body.empty()) std::memcpy(words.begin(), body.data(), body.size());
  capnp::ReaderOptions options;
  options.traversalLimitInWords = reads_of_a_word * words.size() + 1024;
  try {
    capnp::FlatArrayMessageReader reader(words, options);
    return decode(reader.getRoot<schema::JobRecord>());
  } catch (const kj::Exception& e) {
    return error{errc::malformed_data, "has a record that cannot be decoded: " +
                                           config::printable(e.getDescription().cStr())};
  }
}

// --- the log ------------------------------------------------------------------------------------

result<std::unique_ptr<job_log>> job_log::open(std::shared_ptr<env::disk> disk,
                                               const std::string& folder, rule_set rules) {
  std::unique_ptr<job_log> log(new job_log(std::move(disk), folder + "/jobs.log", rules));
  std::string file;
  std::string_view last;
  if (log->disk_->exists(log->path_)) {
    auto read = log->disk_->read(log->path_, file_bytes_max);
    if (!read) return read.failure();
    file = *std::move(read);
    const auto refuse = [&](const error& why) {
      return error{why.code, "'" + log->path_ + "' " + why.text +
                                 ". Restore it from a backup, or delete the folder '" + folder +
                                 "': the coordinator then begins as a new one, and a job that was "
                                 "running is lost"};
    };
    const auto found = last_log_record(file);
    if (!found) return refuse(found.failure());
    last = *found;
    if (!last.empty()) {
      auto record = decode_log_record(last);
      if (!record) return refuse(record.failure());
      log->found_ = *std::move(record);
    }
  }
  if (auto replaced = log->replace(last); !replaced) return replaced.failure();
  return log;
}

result<void> job_log::fail(const error& why) {
  failure_ = why;
  return why;
}

result<void> job_log::replace(std::string_view records) {
  const auto bytes = job_log_header().append(records);
  file_.reset();
  if (auto written = disk_->write(path_, bytes); !written) return fail(written.failure());
  auto opened = disk_->reopen(path_, bytes.size());
  if (!opened) return fail(opened.failure());
  file_ = *std::move(opened);
  bytes_ = bytes.size();
  return {};
}

result<void> job_log::begin(const job_record& record) {
  if (failure_) return failure_;
  const auto bytes = encode_log_record(record);
  if (!bytes) return fail(bytes.failure());
  ++records_;
  return replace(*bytes);
}

result<void> job_log::append(const job_record& record) {
  if (bytes_ > file_bytes_wanted) return begin(record);
  if (failure_) return failure_;
  const auto bytes = encode_log_record(record);
  if (!bytes) return fail(bytes.failure());
  if (auto added = file_->append(*bytes); !added) return fail(added.failure());
  bytes_ += bytes->size();
  if (rules_.keeps(rule::log_synced))
    if (auto synced = file_->sync(); !synced) return fail(synced.failure());
  ++records_;
  return {};
}

} // namespace gradmesh::coordinator
