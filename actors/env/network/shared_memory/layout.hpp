#pragma once

/// INTERNAL to this folder: what stands in the memory that two nodes share.
///
///     page 0                 region_block
///     for each direction     released pages, one bit each
///                            ring, of records
///                            area, of pages
///
/// Direction 0 leads from side 0, which made the memory, to side 1; direction 1 leads back.
///
/// A frame is one or more records. A record holds bytes of the frame (header, metadata, body, in
/// this order) in the ring, and may point to further bytes of the body in the area. The writer
/// gives out the pages of the area; the reader returns them, in any order and from any thread, by
/// setting their bits among the released ones.
///
/// Neither side believes what the other one wrote: what a side relies on (its own index, the pages
/// that are out) it keeps in private memory; an index of the other side says how much there is to
/// read, or how much room, and nothing more.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gradmesh::env::shm {

inline constexpr std::size_t page_bytes = 4096;
/// "GMSHSHM1": the last character is the version of the layout.
inline constexpr std::uint64_t region_magic = 0x314d485348534d47;

/// Bits of `side_block::asleep`: what the sleeping side wants to be woken for.
inline constexpr std::uint32_t wants_records = 1;
inline constexpr std::uint32_t wants_room = 2;

/// Written by both sides: set by the one that goes to sleep, cleared by the one that wakes it.
struct side_block {
  alignas(128) std::atomic<std::uint32_t> asleep;
};

/// Positions count bytes since the beginning and wrap with 2^64.
struct direction_block {
  // By the writer.
  alignas(128) std::atomic<std::uint64_t> written;
  std::atomic<std::uint32_t> closed;
  // By the reader.
  alignas(128) std::atomic<std::uint64_t> read;
};

struct region_block {
  std::uint64_t magic;
  std::uint64_t ring_bytes;
  std::uint64_t area_bytes;
  side_block sides[2];
  direction_block directions[2];
};
static_assert(sizeof(region_block) <= page_bytes);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free &&
              std::atomic<std::uint64_t>::is_always_lock_free);

/// In the ring, followed by `inline_bytes` bytes and padding to a multiple of 8.
struct record {
  std::uint32_t inline_bytes;
  std::uint32_t first_page;
  std::uint64_t area_bytes; // 0 = nothing in the area
};
static_assert(sizeof(record) == 16);

constexpr std::size_t record_bytes(std::size_t inline_bytes) {
  return (sizeof(record) + inline_bytes + 7) / 8 * 8;
}

constexpr std::size_t pages_of(std::size_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes;
}

} // namespace gradmesh::env::shm
