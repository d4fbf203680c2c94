#pragma once

/// Keeps the promise "operations take effect in call order" for a backend whose copies and
/// computations run beside each other. A lane is a queue of the device that works in order; lanes
/// know nothing of each other. For every operation this says which operations of the other lanes it
/// must await, from which blocks of memory it reads and writes: nothing else is held up.
///
/// One thread uses an object at a time. Costs a look-up in a tree for each operand.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>

namespace gradmesh::gpu {

enum class lane : std::uint8_t { copy_in, compute, copy_out };
inline constexpr std::size_t lanes = 3;

/// The how-manieth operation of its lane, from 1; 0 is none.
using ticket = std::uint64_t;
using lane_tickets = std::array<ticket, lanes>;

enum class touch : bool { read, write };

struct memory_access {
  /// Anywhere in a block; null touches nothing.
  const void* memory = nullptr;
  touch how = touch::read;
};

class lane_order {
public:
  void add(const void* block, std::size_t bytes);
  void remove(const void* block);
  bool knows(const void* memory) const { return find(memory) != nullptr; }

  /// The next operation of a lane touches this memory: what it must await, by lane. Memory that was
  /// not added makes it await everything.
  lane_tickets enqueue(lane where, std::initializer_list<memory_access> touched);

  /// The latest operation of `where` also writes this block, which that lane alone has used since
  /// it was handed out, so that nothing is to be awaited for it but what its last owner did.
  lane_tickets also_writes(lane where, const void* memory);

private:
  struct history {
    std::size_t bytes = 0;
    lane_tickets read{};
    lane_tickets written{};
  };
  using block_map = std::map<std::uintptr_t, history>;

  const history* find(const void* memory) const;
  void await(lane_tickets& waits, const memory_access& access) const;
  void note(lane where, const memory_access& access);
  lane_tickets less_seen(lane where, lane_tickets waits);

  block_map blocks_; // by address
  lane_tickets enqueued_{};
  std::array<lane_tickets, lanes> seen_{}; // by lane: what it has awaited already
};

} // namespace gradmesh::gpu
