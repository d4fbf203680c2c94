#include "actors/env/folder_lock.hpp"

#include "actors/env/descriptor.hpp"

#include <array>
#include <fcntl.h>
#include <sys/file.h>

namespace gradmesh::env {
namespace {

class locked_file final : public held_folder {
public:
  explicit locked_file(descriptor fd) : fd_(std::move(fd)) {}

private:
  descriptor fd_;
};

/// " (process 4711)", as the holder has written; empty if it has not yet.
std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const auto count = ::pread(fd, text.data(), text.size(), 0);
  if (count <= 0) return {};
  return " (process " + std::string(text.data(), static_cast<std::size_t>(count)) + ")";
}

} // namespace

result<std::unique_ptr<held_folder>> lock_folder(const std::string& folder) {
  const auto path = folder + "/lock";
  descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return error{errc::io_failed, "cannot open '" + path + "': " + errno_text()};
  // The kernel takes the lock back when the process ends, so none is ever left over.
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return error{errc::io_failed, "cannot lock '" + path + "': " + errno_text()};
    return error{errc::refused, "folder '" + folder + "' is in use by another process" +
                                    holder_of(fd.get()) +
                                    ": each node needs one of its own. Stop that process, or give "
                                    "this node another folder"};
  }
  // For whoever is refused; the lock holds without it, also where the disk is full.
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) == 0) (void)!::pwrite(fd.get(), pid.data(), pid.size(), 0);
  return std::unique_ptr<held_folder>(std::make_unique<locked_file>(std::move(fd)));
}

} // namespace gradmesh::env
