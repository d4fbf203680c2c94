#pragma once

/// A disk in memory that does to a program what real ones do: it forgets at a crash what was not
/// synced, wholly or in part, fills up, fails to sync, and has bits that flip. What befalls it is
/// the caller's request, what comes of it is drawn from the seed: the same calls see the same.
///
/// Contract: after a crash there is
/// - of a file that was synced, or written by `write`, its bytes up to then, under its name;
/// - of bytes appended since: nothing, or any prefix, whose end may have come out as zeros;
/// - of a file, folder or removal that no call has yet reported as done: it is there or not.
/// A sync that fails loses what it was to save for good, though a later one says that all is well,
/// and a reader goes on seeing it until the crash (as Linux does).
///
/// Steps: each call that changes the disk is one or several steps (a file is made, bytes are
/// appended, synced, a name is changed, a folder synced), so that a crash can be in the middle of
/// any. Threads: as every disk. Paths are compared as text. It outlives its growing files.

#include "actors/env/disk.hpp"
#include "actors/env/random.hpp"

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace gradmesh::simulation {

class faulty_disk final : public env::disk {
public:
  explicit faulty_disk(std::uint64_t seed) : random_(seed) {}

  result<std::string> read(const std::string& path, std::uint64_t bytes_max) override;
  result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                std::uint64_t bytes) override;
  result<void> write(const std::string& path, std::string_view bytes) override;
  result<std::unique_ptr<env::growing_file>> create(const std::string& path) override;
  result<std::unique_ptr<env::growing_file>> reopen(const std::string& path,
                                                    std::uint64_t keep) override;
  result<void> remove(const std::string& path) override;
  bool exists(const std::string& path) override;
  result<void> create_directories(const std::string& path) override;
  result<std::vector<env::file_info>> list(const std::string& directory) override;
  result<std::vector<std::string>> list_folders(const std::string& directory) override;

  /// Power goes and comes back: what was not synced is lost, files that are open are of no use.
  void crash();
  /// Power goes in the middle of the step after `steps` more; from then on every call fails until
  /// `crash`.
  void stop_after(std::uint64_t steps);
  bool stopped() const;
  /// Done since the disk was made.
  std::uint64_t steps() const;

  /// All files together take at most so many bytes; what is there already stays.
  void set_space(std::uint64_t bytes_max);
  /// So many syncs fail, of files or folders, beginning with the next.
  void fail_syncs(std::uint64_t count);
  /// Whether any of this was ever asked for, so that a call may have failed.
  bool was_faulty() const;

  /// Bit `bit` of the file turns over, on the medium too. False: it has no such bit.
  bool flip_bit(const std::string& path, std::uint64_t bit);
  /// The same to any bit of any file whose path begins so; says of which, "" if there is none.
  std::string flip_any_bit(const std::string& path_prefix);
  /// The file ends after so many bytes, on the medium too. False: it is not longer.
  bool cut(const std::string& path, std::uint64_t bytes);

private:
  class appender;

  struct file {
    std::string bytes;   // as a reader sees it
    std::string durable; // as it is on the medium
    /// So many bytes at the front of both are the same file; what `durable` has behind them was cut
    /// off since.
    std::size_t kept = 0;
    std::size_t doomed_to = 0; // bytes from `kept` up to here never reach the medium
    std::int64_t modified_ns = 0;
  };
  /// A change of a folder's names that is not on the medium.
  struct name_change {
    std::string folder;
    std::string removed;           // empty: none
    std::string made;              // empty: none
    std::shared_ptr<file> content; // of `made`; null: it is a folder
  };
  using names = std::map<std::string, std::shared_ptr<file>>; // null: a folder

  /// What becomes of the step that is about to be done.
  enum class step_end : std::uint8_t { done, stopped_before, stopped_after };
  step_end step();
  result<void> sync(file& of, const std::string& path);
  result<void> sync_folder(const std::string& folder);
  result<void> append(file& to, std::string_view bytes, const std::string& path);
  result<void> change(name_change what, const std::string& path);
  bool sync_fails();
  std::uint64_t space_left() const;
  std::shared_ptr<file> find(const std::string& path) const;
  bool is_folder(const std::string& path) const;
  std::string after_crash(const file& of);
  static void apply(const name_change& what, names& to);

  mutable std::mutex mutex_;
  env::random_stream random_;
  names live_;
  names durable_;
  std::vector<name_change> pending_; // in their order
  std::uint64_t bytes_max_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t failing_syncs_ = 0;
  bool was_faulty_ = false;
  std::uint64_t steps_ = 0;
  std::uint64_t stop_at_ = std::numeric_limits<std::uint64_t>::max();
  bool stopped_ = false;
  std::uint64_t crashes_ = 0;
  std::int64_t writes_ = 0; // stands in for the time of a write
};

} // namespace gradmesh::simulation
