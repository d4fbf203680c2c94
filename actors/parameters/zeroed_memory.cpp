#include "actors/parameters/zeroed_memory.hpp"

#include <sys/mman.h>

#include <new>

namespace gradmesh::parameters {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

} // namespace

zeroed_memory::zeroed_memory(std::size_t bytes) {
  if (bytes == 0) return;
  // The kernel gives the alignment of a small page only; what is never touched costs nothing.
  const bool large = bytes >= huge_page;
  auto space = large ? bytes + huge_page : bytes;
  void* const mapped =
      mmap(nullptr, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  const unmap release(mapped, space);
  void* first = mapped;
  if (large) {
    std::align(huge_page, bytes, first, space);
    // A kernel without huge pages says no; then they are small ones.
    (void)madvise(first, bytes, MADV_HUGEPAGE);
  }
  start_ = {first, release};
}

void zeroed_memory::unmap::operator()(void*) const {
  (void)munmap(mapped, bytes);
}

} // namespace gradmesh::parameters
