#include "actors/env/disk.hpp"

#include "actors/env/descriptor.hpp"
#include "actors/env/disk_paths.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace gradmesh::env {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t read_step_bytes = std::size_t{1} << 20;

error failed(std::string_view what, const std::string& path) {
  const int code = errno;
  return {errc::io_failed, "cannot " + std::string(what) + " '" + path + "': " + errno_text(code)};
}

error too_long(const std::string& path, std::uint64_t bytes_max) {
  return {errc::limit_exceeded, "cannot read '" + path + "': it is longer than the limit of " +
                                    std::to_string(bytes_max) + " bytes"};
}

error cannot_list(const std::string& folder, const std::error_code& code) {
  const bool missing = code == std::errc::no_such_file_or_directory;
  return {missing ? errc::not_found : errc::io_failed,
          "cannot list folder '" + folder + "': " + code.message()};
}

result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Puts the names in a folder on the medium: a rename is durable only after this.
result<void> sync_folder(const std::string& folder) {
  const descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("open folder", folder);
  if (::fsync(fd.get()) != 0) return failed("sync folder", folder);
  return {};
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class system_file final : public growing_file {
public:
  system_file(descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  result<void> append(std::string_view bytes) override {
    return write_all(fd_.get(), bytes, path_);
  }
  result<void> sync() override {
    if (::fsync(fd_.get()) != 0) return failed("sync", path_);
    return sync_folder(folder_of(path_));
  }

private:
  descriptor fd_;
  std::string path_;
};

class system_disk final : public disk {
public:
  result<std::string> read(const std::string& path, std::uint64_t bytes_max) override {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    const descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return {errc::not_found, "cannot open '" + path + "': " + errno_text()};
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failed("read", path);
    if (!S_ISREG(status.st_mode))
      return {errc::io_failed, "cannot read '" + path + "': it is not a regular file"};
    if (static_cast<std::uint64_t>(status.st_size) > bytes_max) return too_long(path, bytes_max);

    // One byte more than the size, so that the end is seen without another allocation. Files of
    // /proc claim to be empty, and a file can grow while it is read: read until the end.
    std::string bytes(static_cast<std::size_t>(status.st_size) + 1, '\0');
    std::size_t used = 0;
    for (;;) {
      const ssize_t count = ::read(fd.get(), bytes.data() + used, bytes.size() - used);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed("read", path);
      if (count == 0) break;
      used += static_cast<std::size_t>(count);
      if (used > bytes_max) return too_long(path, bytes_max);
      if (used == bytes.size()) bytes.resize(used + std::max(read_step_bytes, used / 2));
    }
    bytes.resize(used);
    return bytes;
  }

  result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                std::uint64_t bytes) override {
    const descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return {errc::not_found, "cannot open '" + path + "': " + errno_text()};
    // The size first: a length that the file does not have must not be allocated.
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failed("read", path);
    const auto size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
    if (offset > size || bytes > size - offset) return ends_before(path, offset, bytes, size);
    std::string part(bytes, '\0');
    for (std::size_t used = 0; used < part.size();) {
      const ssize_t count = ::pread(fd.get(), part.data() + used, part.size() - used,
                                    static_cast<off_t>(offset + used));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed("read", path);
      if (count == 0) return ends_before(path, offset, bytes, offset + used);
      used += static_cast<std::size_t>(count);
    }
    return part;
  }

  result<void> write(const std::string& name, std::string_view bytes) override {
    // A link goes on pointing to its file, and a device or pipe is written to, not replaced.
    std::error_code ignored;
    const auto target = std::filesystem::is_symlink(name, ignored)
                            ? std::filesystem::weakly_canonical(name, ignored).string()
                            : name;
    const auto path = target.empty() ? name : target;
    if (std::filesystem::exists(path, ignored) &&
        !std::filesystem::is_regular_file(path, ignored) &&
        !std::filesystem::is_directory(path, ignored))
      return write_through(path, bytes);
    const std::string temporary =
        path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(writes_++);
    auto written = write_new(temporary, bytes);
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = failed("write", path);
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
    return sync_folder(folder_of(path));
  }

  result<std::unique_ptr<growing_file>> create(const std::string& path) override {
    descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) return failed("create", path);
    return std::unique_ptr<growing_file>(std::make_unique<system_file>(std::move(fd), path));
  }

  result<std::unique_ptr<growing_file>> reopen(const std::string& path,
                                               std::uint64_t keep) override {
    descriptor fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK));
    if (!fd)
      return {errno == ENOENT ? errc::not_found : errc::io_failed,
              "cannot open '" + path + "': " + errno_text()};
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return failed("read", path);
    const auto size = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
    if (keep > size) return ends_before(path, 0, keep, size);
    if (::ftruncate(fd.get(), static_cast<off_t>(keep)) != 0) return failed("shorten", path);
    auto file = std::make_unique<system_file>(std::move(fd), path);
    if (auto synced = file->sync(); !synced) return synced.failure();
    return std::unique_ptr<growing_file>(std::move(file));
  }

  result<void> remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) {
      auto why = failed("remove", path);
      if (!exists(path)) why.code = errc::not_found;
      return why;
    }
    return sync_folder(folder_of(path));
  }

  bool exists(const std::string& path) override {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
  }

  result<void> create_directories(const std::string& path) override {
    std::error_code code;
    std::vector<fs::path> missing;
    for (fs::path folder = path; !folder.empty() && !fs::exists(folder, code);
         folder = folder.parent_path())
      missing.push_back(folder);
    code.clear();
    fs::create_directories(path, code);
    // A file of that name is no error to the standard library.
    if (!code && !fs::is_directory(path, code) && !code)
      code = std::make_error_code(std::errc::not_a_directory);
    if (code) return {errc::io_failed, "cannot create folder '" + path + "': " + code.message()};
    for (fs::path folder = path; folder.has_relative_path(); folder = folder.parent_path()) {
      const auto parent = folder_of(folder);
      // What nobody like us can have made needs no sync, and may not be open to us.
      if (::access(parent.c_str(), W_OK) != 0) break;
      if (auto synced = sync_folder(parent); !synced) {
        // A sync that failed may have lost the names for good, though the folders can be seen.
        for (const auto& made : missing)
          fs::remove(made, code);
        return synced;
      }
    }
    return {};
  }

  result<std::vector<file_info>> list(const std::string& directory) override {
    std::error_code code;
    fs::directory_iterator entry(directory, code);
    if (code) return cannot_list(directory, code);
    std::vector<file_info> files;
    for (; entry != fs::directory_iterator(); entry.increment(code)) {
      struct stat status {};
      if (::stat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      files.push_back({entry->path().filename().string(),
                       static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim)});
    }
    if (code) return cannot_list(directory, code);
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return files;
  }

  result<std::vector<std::string>> list_folders(const std::string& directory) override {
    std::error_code code;
    fs::directory_iterator entry(directory, code);
    if (code) return cannot_list(directory, code);
    std::vector<std::string> names;
    for (; entry != fs::directory_iterator(); entry.increment(code)) {
      std::error_code ignored;
      if (entry->is_directory(ignored)) names.push_back(entry->path().filename().string());
    }
    if (code) return cannot_list(directory, code);
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  static result<void> write_through(const std::string& path, std::string_view bytes) {
    // O_NONBLOCK: opening a pipe must not wait for its reader.
    const descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return failed("write", path);
    return write_all(fd.get(), bytes, path);
  }

  static result<void> write_new(const std::string& path, std::string_view bytes) {
    descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) return failed("create", path);
    if (auto written = write_all(fd.get(), bytes, path); !written) return written;
    if (::fsync(fd.get()) != 0) return failed("sync", path);
    if (fd.close() != 0) return failed("close", path);
    return {};
  }

  std::atomic<std::uint64_t> writes_ = 0; // keeps the temporary names of two threads apart
};

} // namespace

std::unique_ptr<disk> make_disk() {
  return std::make_unique<system_disk>();
}

} // namespace gradmesh::env
