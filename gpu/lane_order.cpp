#include "gpu/lane_order.hpp"

#include <algorithm>

namespace gradmesh::gpu {

namespace {

std::size_t index(lane l) {
  return static_cast<std::size_t>(l);
}

void raise(lane_tickets& to, const lane_tickets& by) {
  for (std::size_t i = 0; i < lanes; ++i)
    to[i] = std::max(to[i], by[i]);
}

} // namespace

void lane_order::add(const void* memory, std::size_t bytes) {
  blocks_[reinterpret_cast<std::uintptr_t>(memory)] = {bytes, {}, {}};
}

void lane_order::remove(const void* memory) {
  blocks_.erase(reinterpret_cast<std::uintptr_t>(memory));
}

const lane_order::history* lane_order::find(const void* memory) const {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const auto after = blocks_.upper_bound(address);
  if (after == blocks_.begin()) return nullptr;
  const auto& [begin, found] = *std::prev(after);
  return address - begin < found.bytes ? &found : nullptr;
}

lane_tickets lane_order::enqueue(lane where, std::initializer_list<memory_access> touched) {
  lane_tickets waits{};
  for (const auto& access : touched)
    await(waits, access);
  ++enqueued_[index(where)];
  for (const auto& access : touched)
    note(where, access);
  return less_seen(where, waits);
}

lane_tickets lane_order::also_writes(lane where, const void* memory) {
  lane_tickets waits{};
  await(waits, {memory, touch::write});
  note(where, {memory, touch::write});
  return less_seen(where, waits);
}

void lane_order::await(lane_tickets& waits, const memory_access& access) const {
  if (!access.memory) return;
  const auto* block = find(access.memory);
  raise(waits, block ? block->written : enqueued_);
  if (block && access.how == touch::write) raise(waits, block->read);
}

void lane_order::note(lane where, const memory_access& access) {
  auto* block = const_cast<history*>(find(access.memory));
  if (!access.memory || !block) return;
  auto& last = access.how == touch::write ? block->written : block->read;
  last[index(where)] = enqueued_[index(where)];
}

lane_tickets lane_order::less_seen(lane where, lane_tickets waits) {
  auto& seen = seen_[index(where)];
  waits[index(where)] = 0; // a lane works in order
  for (std::size_t i = 0; i < lanes; ++i)
    if (waits[i] <= seen[i]) waits[i] = 0;
  raise(seen, waits);
  return waits;
}

} // namespace gradmesh::gpu
