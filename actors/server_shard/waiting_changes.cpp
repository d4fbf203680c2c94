#include "actors/server_shard/waiting_changes.hpp"

#include <utility>

namespace gradmesh::server_shard {

void waiting_changes::count(change& of, std::size_t bytes) {
  of.bytes += bytes;
  bytes_ += bytes;
}

void waiting_changes::add(change_draft draft) {
  ++last_;
  auto& added = waiting_.emplace_back();
  added.draft = std::move(draft);
  count(added, mesh::frame_header_bytes + added.draft.body.bytes.size());
}

void waiting_changes::join(std::uint32_t block, const pushed_name& push) {
  auto found = open_.find(block);
  if (found != open_.end() && found->second <= acknowledged()) found = open_.end();
  if (found != open_.end() && at(found->second).pushes.size() >= joined_max) {
    take(found->second);
    found = open_.end();
  }
  if (found == open_.end()) {
    ++last_;
    found = open_.insert_or_assign(block, last_).first;
    waiting_.emplace_back().block = block;
    count(waiting_.back(), mesh::frame_header_bytes);
  }
  auto& joined = at(found->second);
  joined.pushes.push_back(push);
  count(joined, sizeof(pushed_name));
}

change_draft& waiting_changes::take(std::uint64_t number) {
  auto& taken = at(number);
  if (!is_open(number)) return taken.draft;
  const auto pushes = std::exchange(taken.pushes, {});
  taken.draft = make_block(taken.block, pushes, store_);
  count(taken, taken.draft.body.bytes.size());
  if (rules_.keeps(rule::sent_stays)) open_.erase(taken.block);
  return taken.draft;
}

void waiting_changes::acknowledge(std::uint64_t number) {
  while (acknowledged() < number) {
    bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
}

void waiting_changes::clear() {
  waiting_.clear();
  open_.clear();
  last_ = bytes_ = 0;
}

} // namespace gradmesh::server_shard
