#include "actors/job/piece_set.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace gradmesh::job {

void piece_set::add(piece_run run) {
  if (run.first >= run.last) return;
  // What it meets, also end to end, becomes one with it.
  auto at = runs_.upper_bound(run.first);
  if (at != runs_.begin() && std::prev(at)->second >= run.first) --at;
  while (at != runs_.end() && at->first <= run.last) {
    run.first = std::min(run.first, at->first);
    run.last = std::max(run.last, at->second);
    at = runs_.erase(at);
  }
  runs_.emplace(run.first, run.last);
}

bool piece_set::contains(piece_run run) const {
  const auto after = runs_.upper_bound(run.first);
  return after != runs_.begin() && std::prev(after)->second >= run.last;
}

bool piece_set::touches(piece_run run) const {
  const auto after = runs_.lower_bound(run.last);
  return after != runs_.begin() && std::prev(after)->second > run.first;
}

std::uint64_t piece_set::below() const {
  return runs_.empty() || runs_.begin()->first > 0 ? 0 : runs_.begin()->second;
}

std::uint64_t piece_set::size() const {
  std::uint64_t pieces = 0;
  for (const auto& [first, last] : runs_)
    pieces += last - first;
  return pieces;
}

void encode(const piece_set& set, schema::PieceSet::Builder out) {
  const auto below = set.below();
  out.setBelow(below);
  auto above = out.initAbove(static_cast<unsigned>(std::min(set.size() - below, pieces_above_max)));
  unsigned i = 0;
  for (const auto& [first, last] : set.runs())
    for (auto piece = std::max(first, below); piece < last && i < above.size(); ++piece)
      above.set(i++, piece);
}

result<piece_set> decode(schema::PieceSet::Reader in) {
  piece_set set(in.getBelow());
  auto least = in.getBelow();
  for (const auto piece : in.getAbove()) {
    if (piece < least || piece == ~std::uint64_t{0})
      return error{errc::malformed_message, "piece " + std::to_string(piece) +
                                                " of a set of pieces stands behind piece " +
                                                std::to_string(least)};
    set.add({piece, piece + 1});
    least = piece + 1;
  }
  return set;
}

} // namespace gradmesh::job
