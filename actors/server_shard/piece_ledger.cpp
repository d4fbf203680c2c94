#include "actors/server_shard/piece_ledger.hpp"

#include <fmt/format.h>

#include <iterator>

namespace gradmesh::server_shard {
namespace {

error refusal(const push_name& push, const std::string& why) {
  return {errc::refused, fmt::format("the push of the pieces from {} to below {} {}",
                                     push.pieces.first, push.pieces.last, why)};
}

} // namespace

result<bool> piece_ledger::has(const push_name& push) const {
  const auto& pieces = push.pieces;
  if (done_.contains(pieces)) return true;
  if (done_.touches(pieces))
    return refusal(push, "has pieces that were applied and pieces that were not: it is cut "
                         "otherwise than the pushes before");
  const auto after = open_.lower_bound(pieces.last);
  if (after == open_.begin() || std::prev(after)->second.last <= pieces.first) {
    if (done_.runs().size() + open_.size() < gaps_max) return false;
    return refusal(push, fmt::format("is one too many: {} runs of pieces are applied or begun, the "
                                     "first that is missing is {}",
                                     done_.runs().size() + open_.size(), done_.below()));
  }
  const auto& [first, open] = *std::prev(after);
  if (first != pieces.first || open.last != pieces.last)
    return refusal(push, fmt::format("overlaps that of the pieces from {} to below {}, which was "
                                     "applied in part",
                                     first, open.last));
  if (open.taken.size() != push.count)
    return refusal(
        push, fmt::format("has {} parts now and had {} before", push.count, open.taken.size()));
  return bool(open.taken[push.part]);
}

bool piece_ledger::add(const push_name& push) {
  if (push.count > 1) {
    auto& open = open_[push.pieces.first];
    if (open.taken.empty()) open = {push.pieces.last, std::vector<bool>(push.count), push.count};
    open.taken[push.part] = true;
    if (--open.missing > 0) return false;
    open_.erase(push.pieces.first);
  }
  done_.add(push.pieces);
  return true;
}

} // namespace gradmesh::server_shard
