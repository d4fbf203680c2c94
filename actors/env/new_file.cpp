#include "actors/env/new_file.hpp"

#include "actors/env/descriptor.hpp"

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace gradmesh::env {
namespace {

error failed(const std::string& what, const std::string& path) {
  const int code = errno;
  return {errc::io_failed, "cannot " + what + " '" + path + "': " + errno_text(code)};
}

result<void> write_and_sync(const std::string& path, std::string_view bytes, mode_t mode) {
  descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return failed("create", path);
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return failed("sync", path);
  if (fd.close() != 0) return failed("close", path);
  return {};
}

result<void> sync_folder_of(const std::string& path) {
  auto folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return failed("sync folder", folder);
  return {};
}

} // namespace

result<void> write_new_file(const std::string& path, std::string_view bytes, file_access access) {
  const auto temporary = path + ".tmp-" + std::to_string(::getpid());
  auto written =
      write_and_sync(temporary, bytes, access == file_access::owner ? S_IRUSR | S_IWUSR : 0666);
  // Unlike a rename, a link does not replace what is there.
  if (written && ::link(temporary.c_str(), path.c_str()) != 0)
    written = errno == EEXIST
                  ? error{errc::invalid_argument, "'" + path + "' exists, and is not overwritten"}
                  : failed("create", path);
  ::unlink(temporary.c_str());
  if (!written) return written;
  return sync_folder_of(path);
}

} // namespace gradmesh::env
