#pragma once

/// The memory that a channel shares with its peer: an anonymous file of fixed size, mapped as a
/// whole. It has no name and goes with the last process that maps it, so nothing is left over when
/// a process is killed.
///
/// A peer cannot harm us through it: the size is sealed, so no access can fault, and the sizes that
/// it states are checked before anything is derived from them. (It can still change a tensor under
/// our eyes. Peers run under our own user, who could as well attach a debugger.)

#include "actors/env/network/shared_memory/layout.hpp"
#include "actors/error.hpp"

#include <kj/io.h>

#include <memory>
#include <span>

namespace gradmesh::env::shm {

/// For each direction.
struct sizes {
  /// A power of two from `page_bytes` on.
  std::uint64_t ring_bytes = 1u << 20;
  /// A multiple of 64 pages.
  std::uint64_t area_bytes = 64u << 20;

  bool operator==(const sizes&) const = default;
};

/// One direction of a memory; valid as long as the memory is.
struct direction {
  direction_block& block;
  std::span<std::atomic<std::uint64_t>> released;
  std::span<std::byte> ring;
  std::span<std::byte> area;
};

class memory {
public:
  /// Pages are taken from the system when they are first used.
  /// Errors: `invalid_argument` (sizes), `io_failed` (no memory, no descriptors).
  static result<std::shared_ptr<memory>> create(const sizes& s = {});

  /// Maps what a peer has sent. Errors: `malformed_message` (it is not what `create` makes),
  /// `io_failed`.
  static result<std::shared_ptr<memory>> adopt(kj::AutoCloseFd received);

  ~memory();
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;

  /// To be sent to the peer.
  int descriptor() const { return descriptor_.get(); }
  const sizes& size() const { return sizes_; }

  /// `number` is 0 or 1.
  direction way(std::size_t number) const;
  std::atomic<std::uint32_t>& asleep(std::size_t side) const;

private:
  memory(kj::AutoCloseFd descriptor, std::span<std::byte> mapped)
      : descriptor_(kj::mv(descriptor)), mapped_(mapped) {}
  static result<std::shared_ptr<memory>> map(kj::AutoCloseFd descriptor, std::size_t bytes);
  region_block& region() const { return *reinterpret_cast<region_block*>(mapped_.data()); }

  kj::AutoCloseFd descriptor_;
  std::span<std::byte> mapped_;
  sizes sizes_;
};

} // namespace gradmesh::env::shm
