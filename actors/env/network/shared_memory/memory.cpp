#include "actors/env/network/shared_memory/memory.hpp"

#include "actors/env/descriptor.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bit>

namespace gradmesh::env::shm {
namespace {

constexpr std::uint64_t ring_bytes_max = 64u << 20;
constexpr std::uint64_t area_bytes_max = 1u << 30;
constexpr std::size_t pages_per_word = 64;
constexpr int fixed_size = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

result<void> check(const sizes& s) {
  if (!std::has_single_bit(s.ring_bytes) || s.ring_bytes < page_bytes ||
      s.ring_bytes > ring_bytes_max)
    return {errc::invalid_argument, "shared memory with a ring of " + std::to_string(s.ring_bytes) +
                                        " bytes; it must be a power of two from 4096 to " +
                                        std::to_string(ring_bytes_max)};
  if (s.area_bytes == 0 || s.area_bytes % (pages_per_word * page_bytes) != 0 ||
      s.area_bytes > area_bytes_max)
    return {errc::invalid_argument,
            "shared memory with an area of " + std::to_string(s.area_bytes) +
                " bytes; it must be a multiple of 256 KiB up to " + std::to_string(area_bytes_max)};
  return {};
}

std::size_t released_bytes(const sizes& s) {
  return pages_of(s.area_bytes / page_bytes / 8) * page_bytes;
}

std::size_t direction_bytes(const sizes& s) {
  return released_bytes(s) + s.ring_bytes + s.area_bytes;
}

std::size_t total_bytes(const sizes& s) {
  return page_bytes + 2 * direction_bytes(s);
}

error failed(const char* step) {
  return {errc::io_failed, std::string("cannot set up shared memory: ") + step + ": " +
                               errno_text() + "; the link can do without (TCP)"};
}

error refused(const std::string& why) {
  return {errc::malformed_message, "the peer's shared memory is of no use: " + why};
}

} // namespace

result<std::shared_ptr<memory>> memory::create(const sizes& s) {
  if (auto checked = check(s); !checked) return checked.failure();
  kj::AutoCloseFd descriptor(memfd_create("gradmesh", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (descriptor.get() < 0) return failed("memfd_create");
  const auto bytes = total_bytes(s);
  if (ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) return failed("ftruncate");
  if (fcntl(descriptor, F_ADD_SEALS, fixed_size) != 0) return failed("sealing");
  auto made = map(kj::mv(descriptor), bytes);
  if (!made) return made;
  auto& m = **made;
  m.sizes_ = s;
  m.region().magic = region_magic;
  m.region().ring_bytes = s.ring_bytes;
  m.region().area_bytes = s.area_bytes;
  return made;
}

result<std::shared_ptr<memory>> memory::adopt(kj::AutoCloseFd received) {
  // Memory of huge pages can be sealed too, but an access to it can fail for want of one.
  struct statfs kind {};
  struct stat file {};
  if (fstatfs(received, &kind) != 0 || fstat(received, &file) != 0) return failed("fstat");
  if (kind.f_type != TMPFS_MAGIC) return refused("it is no anonymous memory file");
  const int seals = fcntl(received, F_GET_SEALS);
  if (seals < 0 || (seals & fixed_size) != fixed_size) return refused("its size is not sealed");
  const auto bytes = static_cast<std::uint64_t>(file.st_size);
  if (bytes < total_bytes({page_bytes, pages_per_word * page_bytes}) ||
      bytes > total_bytes({ring_bytes_max, area_bytes_max}))
    return refused("it has " + std::to_string(bytes) + " bytes");

  auto mapped = map(kj::mv(received), bytes);
  if (!mapped) return mapped;
  auto& m = **mapped;
  // Copied first: the peer may change them after the check.
  const sizes stated{*const_cast<volatile std::uint64_t*>(&m.region().ring_bytes),
                     *const_cast<volatile std::uint64_t*>(&m.region().area_bytes)};
  if (m.region().magic != region_magic) return refused("it does not begin with GMSHSHM1");
  if (auto checked = check(stated); !checked) return refused(checked.failure().text);
  if (total_bytes(stated) != bytes)
    return refused("it has " + std::to_string(bytes) + " bytes where its sizes make " +
                   std::to_string(total_bytes(stated)));
  m.sizes_ = stated;
  return mapped;
}

result<std::shared_ptr<memory>> memory::map(kj::AutoCloseFd descriptor, std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) return failed("mmap");
  return std::shared_ptr<memory>(
      new memory(kj::mv(descriptor), {static_cast<std::byte*>(at), bytes}));
}

memory::~memory() {
  munmap(mapped_.data(), mapped_.size());
}

direction memory::way(std::size_t number) const {
  const auto part = mapped_.subspan(page_bytes + number * direction_bytes(sizes_));
  const auto released = released_bytes(sizes_);
  return {region().directions[number],
          {reinterpret_cast<std::atomic<std::uint64_t>*>(part.data()),
           sizes_.area_bytes / page_bytes / pages_per_word},
          part.subspan(released, sizes_.ring_bytes),
          part.subspan(released + sizes_.ring_bytes, sizes_.area_bytes)};
}

std::atomic<std::uint32_t>& memory::asleep(std::size_t side) const {
  return region().sides[side].asleep;
}

} // namespace gradmesh::env::shm
