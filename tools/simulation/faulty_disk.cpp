#include "tools/simulation/faulty_disk.hpp"

#include "actors/env/disk_paths.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::simulation {

using env::ends_before;
using env::folder_of;
using env::name_of;
using env::no_such;

namespace {

error cannot(const char* what, const std::string& path, const std::string& why) {
  return {errc::io_failed, "cannot " + std::string(what) + " '" + path + "': " + why};
}

error gone(const char* what, const std::string& path) {
  return cannot(what, path, "the machine has stopped");
}

} // namespace

class faulty_disk::appender final : public env::growing_file {
public:
  appender(faulty_disk& of, std::shared_ptr<file> content, std::string path)
      : disk_(of), content_(std::move(content)), path_(std::move(path)), crashes_(of.crashes_) {}

  result<void> append(std::string_view bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (crashes_ != disk_.crashes_) return gone("write", path_);
    return disk_.append(*content_, bytes, path_);
  }
  result<void> sync() override {
    const std::lock_guard lock(disk_.mutex_);
    if (crashes_ != disk_.crashes_) return gone("sync", path_);
    if (auto synced = disk_.sync(*content_, path_); !synced) return synced;
    return disk_.sync_folder(folder_of(path_));
  }

private:
  faulty_disk& disk_;
  std::shared_ptr<file> content_;
  std::string path_;
  std::uint64_t crashes_; // that the disk had seen when the file was opened
};

faulty_disk::step_end faulty_disk::step() {
  if (stopped_) return step_end::stopped_before;
  if (steps_++ < stop_at_) return step_end::done;
  stopped_ = true;
  return random_.below(2) == 0 ? step_end::stopped_before : step_end::stopped_after;
}

bool faulty_disk::sync_fails() {
  if (failing_syncs_ == 0) return false;
  --failing_syncs_;
  return true;
}

result<void> faulty_disk::sync(file& of, const std::string& path) {
  const auto end = step();
  if (end == step_end::stopped_before) return gone("sync", path);
  if (sync_fails()) {
    of.doomed_to = of.bytes.size();
    return cannot("sync", path, "Input/output error");
  }
  of.durable.resize(of.kept);
  if (of.doomed_to > of.kept) of.durable.resize(of.doomed_to, '\0');
  of.durable.append(of.bytes, of.durable.size());
  of.kept = of.bytes.size();
  if (end == step_end::stopped_after) return gone("sync", path);
  return {};
}

result<void> faulty_disk::sync_folder(const std::string& folder) {
  const auto end = step();
  if (end == step_end::stopped_before) return gone("sync folder", folder);
  if (sync_fails()) return cannot("sync folder", folder, "Input/output error");
  std::erase_if(pending_, [&](const name_change& what) {
    if (what.folder != folder) return false;
    apply(what, durable_);
    return true;
  });
  if (end == step_end::stopped_after) return gone("sync folder", folder);
  return {};
}

result<void> faulty_disk::append(file& to, std::string_view bytes, const std::string& path) {
  const auto end = step();
  if (end == step_end::stopped_before) return gone("write", path);
  const auto fits = std::min<std::uint64_t>(bytes.size(), space_left());
  to.bytes += bytes.substr(0, fits);
  to.modified_ns = ++writes_;
  if (end == step_end::stopped_after) return gone("write", path);
  if (fits < bytes.size()) return cannot("write", path, "No space left on device");
  return {};
}

/// A step that changes the names in a folder.
result<void> faulty_disk::change(name_change what, const std::string& path) {
  const auto end = step();
  if (end == step_end::stopped_before) return gone("change", path);
  apply(what, live_);
  pending_.push_back(std::move(what));
  if (end == step_end::stopped_after) return gone("change", path);
  return {};
}

void faulty_disk::apply(const name_change& what, names& to) {
  if (!what.removed.empty()) to.erase(what.removed);
  if (!what.made.empty()) to[what.made] = what.content;
}

std::uint64_t faulty_disk::space_left() const {
  if (bytes_max_ == std::numeric_limits<std::uint64_t>::max()) return bytes_max_;
  std::uint64_t used = 0;
  for (const auto& [path, content] : live_)
    if (content) used += content->bytes.size();
  return bytes_max_ - std::min(used, bytes_max_);
}

std::shared_ptr<faulty_disk::file> faulty_disk::find(const std::string& path) const {
  const auto found = live_.find(path);
  return found == live_.end() ? nullptr : found->second;
}

bool faulty_disk::is_folder(const std::string& path) const {
  const auto found = live_.find(path);
  return path == "." || path == "/" || (found != live_.end() && !found->second);
}

result<std::string> faulty_disk::read(const std::string& path, std::uint64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("read", path);
  const auto found = find(path);
  if (!found) return no_such("open", path);
  if (found->bytes.size() > bytes_max)
    return {errc::limit_exceeded, "cannot read '" + path + "': it is longer than the limit of " +
                                      std::to_string(bytes_max) + " bytes"};
  return found->bytes;
}

result<std::string> faulty_disk::read_part(const std::string& path, std::uint64_t offset,
                                           std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("read", path);
  const auto found = find(path);
  if (!found) return no_such("open", path);
  const auto size = found->bytes.size();
  if (offset > size || bytes > size - offset) return ends_before(path, offset, bytes, size);
  return found->bytes.substr(offset, bytes);
}

result<void> faulty_disk::write(const std::string& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("write", path);
  const auto folder = folder_of(path);
  if (!is_folder(folder)) return cannot("create", path, "No such file or directory");
  if (is_folder(path)) return cannot("write", path, "Is a directory");
  const auto temporary = path + ".tmp-" + std::to_string(writes_);
  const auto content = std::make_shared<file>();
  auto done = change({folder, {}, temporary, content}, path);
  if (done) done = append(*content, bytes, path);
  if (done) done = sync(*content, path);
  if (done) done = change({folder, temporary, path, content}, path);
  if (!done) {
    // As a real one clears up, if the machine is still there to do it.
    if (!stopped_ && find(temporary)) (void)change({folder, temporary, {}, {}}, path);
    return done;
  }
  return sync_folder(folder);
}

result<std::unique_ptr<env::growing_file>> faulty_disk::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("create", path);
  const auto folder = folder_of(path);
  if (!is_folder(folder)) return cannot("create", path, "No such file or directory");
  if (is_folder(path)) return cannot("create", path, "Is a directory");
  auto content = find(path);
  if (!content) {
    content = std::make_shared<file>();
    if (auto made = change({folder, {}, path, content}, path); !made) return made.failure();
  } else {
    const auto end = step();
    if (end != step_end::stopped_before) {
      content->bytes.clear();
      content->kept = content->doomed_to = 0;
    }
    if (end != step_end::done) return gone("create", path);
  }
  content->modified_ns = ++writes_;
  return std::unique_ptr<env::growing_file>(std::make_unique<appender>(*this, content, path));
}

result<std::unique_ptr<env::growing_file>> faulty_disk::reopen(const std::string& path,
                                                               std::uint64_t keep) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("open", path);
  const auto content = find(path);
  if (!content) return no_such("open", path);
  if (keep > content->bytes.size()) return ends_before(path, 0, keep, content->bytes.size());
  const auto end = step();
  if (end != step_end::stopped_before) {
    content->bytes.resize(keep);
    content->kept = std::min<std::size_t>(content->kept, keep);
    content->doomed_to = std::min<std::size_t>(content->doomed_to, keep);
    content->modified_ns = ++writes_;
  }
  if (end != step_end::done) return gone("shorten", path);
  auto opened = std::make_unique<appender>(*this, content, path);
  if (auto synced = sync(*content, path); !synced) return synced.failure();
  if (auto synced = sync_folder(folder_of(path)); !synced) return synced.failure();
  return std::unique_ptr<env::growing_file>(std::move(opened));
}

result<void> faulty_disk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("remove", path);
  const auto found = live_.find(path);
  if (found == live_.end()) return no_such("remove", path);
  if (!found->second &&
      std::ranges::any_of(live_, [&](const auto& entry) { return folder_of(entry.first) == path; }))
    return cannot("remove", path, "Directory not empty");
  if (auto done = change({folder_of(path), path, {}, {}}, path); !done) return done;
  return sync_folder(folder_of(path));
}

bool faulty_disk::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return !stopped_ && live_.contains(path);
}

result<void> faulty_disk::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("create folder", path);
  std::vector<std::string> missing; // the deepest first
  for (auto folder = path; !is_folder(folder); folder = folder_of(folder)) {
    if (find(folder)) return cannot("create folder", path, "Not a directory");
    missing.push_back(folder);
  }
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder)
    if (auto made = change({folder_of(*folder), {}, *folder, nullptr}, path); !made) return made;
  for (auto folder = path; folder != folder_of(folder); folder = folder_of(folder))
    if (auto synced = sync_folder(folder_of(folder)); !synced) {
      for (const auto& made : missing)
        if (auto removed = change({folder_of(made), made, {}, nullptr}, path); !removed) break;
      return synced;
    }
  return {};
}

result<std::vector<env::file_info>> faulty_disk::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("list folder", directory);
  if (!is_folder(directory)) return no_such("list folder", directory);
  std::vector<env::file_info> files;
  for (const auto& [path, content] : live_)
    if (content && folder_of(path) == directory)
      files.push_back({name_of(path), content->bytes.size(), content->modified_ns});
  return files;
}

result<std::vector<std::string>> faulty_disk::list_folders(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return gone("list folder", directory);
  if (!is_folder(directory)) return no_such("list folder", directory);
  std::vector<std::string> folders;
  for (const auto& [path, content] : live_)
    if (!content && folder_of(path) == directory) folders.push_back(name_of(path));
  return folders;
}

/// What a crash leaves of a file.
std::string faulty_disk::after_crash(const file& of) {
  if (of.durable.size() > of.kept && random_.below(2) == 0) return of.durable; // never cut
  auto left = of.durable.substr(0, of.kept);
  auto tail = of.bytes.substr(of.kept);
  if (of.doomed_to > of.kept) std::fill_n(tail.begin(), of.doomed_to - of.kept, '\0');
  const auto length = random_.below(tail.size() + 1);
  switch (random_.below(4)) {
  case 0: // nothing
    return left;
  case 1: // all
    return left + tail;
  case 2: // torn
    return left + tail.substr(0, length);
  default: // the file has grown, the last of its blocks have not come
    std::fill(tail.begin() + static_cast<std::ptrdiff_t>(length), tail.end(), '\0');
    return left + tail;
  }
}

void faulty_disk::crash() {
  const std::lock_guard lock(mutex_);
  for (const auto& what : pending_)
    if (random_.below(2) == 0) apply(what, durable_);
  pending_.clear();
  // What lies in a folder that is gone is gone; a folder comes before what it holds.
  names left;
  for (auto& [path, content] : durable_) {
    const auto folder = folder_of(path);
    const auto holds = left.find(folder);
    if (folder != "." && folder != "/" && (holds == left.end() || holds->second)) continue;
    auto& entry = left[path];
    if (!content) continue;
    const auto bytes = after_crash(*content);
    entry = std::make_shared<file>(file{bytes, bytes, bytes.size(), 0, content->modified_ns});
  }
  durable_ = left;
  live_ = std::move(left);
  ++crashes_;
  stop_at_ = std::numeric_limits<std::uint64_t>::max();
  stopped_ = false;
}

void faulty_disk::stop_after(std::uint64_t steps) {
  const std::lock_guard lock(mutex_);
  stop_at_ = steps_ + steps;
  was_faulty_ = true;
}

bool faulty_disk::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

std::uint64_t faulty_disk::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

void faulty_disk::set_space(std::uint64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  bytes_max_ = bytes_max;
  was_faulty_ = true;
}

void faulty_disk::fail_syncs(std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  failing_syncs_ = count;
  was_faulty_ = true;
}

bool faulty_disk::was_faulty() const {
  const std::lock_guard lock(mutex_);
  return was_faulty_;
}

bool faulty_disk::flip_bit(const std::string& path, std::uint64_t bit) {
  const std::lock_guard lock(mutex_);
  const auto content = find(path);
  const auto at = bit / 8;
  if (!content || at >= content->bytes.size()) return false;
  const auto mask = static_cast<char>(1U << (bit % 8));
  content->bytes[at] ^= mask;
  if (at < content->kept) content->durable[at] ^= mask;
  return true;
}

std::string faulty_disk::flip_any_bit(const std::string& path_prefix) {
  std::vector<std::pair<std::string, std::uint64_t>> candidates;
  std::uint64_t bytes = 0;
  std::uint64_t at = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, content] : live_)
      if (content && path.starts_with(path_prefix) && !content->bytes.empty()) {
        candidates.emplace_back(path, content->bytes.size());
        bytes += content->bytes.size();
      }
    if (bytes == 0) return "";
    at = random_.below(bytes * 8);
  }
  for (const auto& [path, size] : candidates) {
    if (at < size * 8) return flip_bit(path, at) ? path : "";
    at -= size * 8;
  }
  return "";
}

bool faulty_disk::cut(const std::string& path, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto content = find(path);
  if (!content || bytes >= content->bytes.size()) return false;
  content->bytes.resize(bytes);
  content->kept = std::min<std::size_t>(content->kept, bytes);
  content->doomed_to = std::min<std::size_t>(content->doomed_to, bytes);
  content->durable.resize(content->kept);
  return true;
}

} // namespace gradmesh::simulation
