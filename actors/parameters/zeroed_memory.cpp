#include "actors/parameters/zeroed_memory.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace gradmesh::parameters {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::align_val_t alignment{64};

} // namespace

zeroed_memory::zeroed_memory(std::size_t bytes) {
  if (bytes == 0) return;
  if (bytes < huge_page) {
    start_ = {std::memset(::operator new(bytes, alignment), 0, bytes), release()};
    return;
  }
  // The kernel gives the alignment of a small page only; what is never touched costs nothing.
  auto space = bytes + huge_page;
  void* const mapped =
      mmap(nullptr, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  const release unmap(mapped, space);
  void* first = mapped;
  std::align(huge_page, bytes, first, space);
  // A kernel without huge pages says no; then they are small ones.
  (void)madvise(first, bytes, MADV_HUGEPAGE);
  start_ = {first, unmap};
}

void zeroed_memory::release::operator()(void* start) const {
  if (mapped)
    (void)munmap(mapped, bytes);
  else
    ::operator delete(start, alignment);
}

} // namespace gradmesh::parameters
