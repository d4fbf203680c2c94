#pragma once

/// INTERNAL to this folder: the pages of an area as the writer sees them (`page_pool`: which ones
/// it may use) and as the reader does (`lent_pages`: which ones somebody here still looks at).

#include "actors/env/network/shared_memory/doorbell.hpp"
#include "actors/mesh/frame.hpp"

#include <vector>

namespace gradmesh::env::shm {

struct page_run {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// The writer's. Lowest pages first, so that few pages are in use and these stay in the cache.
class page_pool {
public:
  explicit page_pool(std::span<std::atomic<std::uint64_t>> released)
      : released_(released), taken_(released.size()) {}

  /// Takes back what the reader has released. Bits of pages that are not out mean nothing.
  void collect();
  /// The first run of `wanted` free pages, or the longest one when there is none so long.
  page_run find(std::size_t wanted) const;
  void take(page_run run);

private:
  std::size_t first_from(std::size_t page, bool taken, std::size_t end) const;

  std::span<std::atomic<std::uint64_t>> released_;
  std::vector<std::uint64_t> taken_;
};

/// The reader's. Everything but `hold` may be called from any thread; frames keep it alive.
class lent_pages : public std::enable_shared_from_this<lent_pages> {
public:
  lent_pages(direction way, std::shared_ptr<doorbell> bell)
      : way_(way), bell_(std::move(bell)), held_(way.released.size()) {}

  /// A record says that these pages are ours now. Errors: `malformed_message` (outside of the area,
  /// or ours already).
  result<page_run> hold(std::size_t first_page, std::size_t bytes);
  std::span<const std::byte> bytes(page_run run, std::size_t bytes) const {
    return way_.area.subspan(run.first * page_bytes, bytes);
  }

  /// Whether the pages may stay out until somebody has done with them. Not more than half of the
  /// area may: the other half is for frames on the way.
  bool may_lend(page_run run) const;
  /// The bytes themselves, not copied; the pages are released with the last reference.
  mesh::frame_body lend(page_run run, std::size_t bytes);
  void release(page_run run);

private:
  struct loan;

  direction way_;
  std::shared_ptr<doorbell> bell_;
  std::vector<std::atomic<std::uint64_t>> held_;
  std::atomic<std::size_t> lent_{0};
};

} // namespace gradmesh::env::shm
