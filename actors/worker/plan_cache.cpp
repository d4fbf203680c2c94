#include "actors/worker/plan_cache.hpp"

#include <xxhash.h>

#include <utility>

namespace gradmesh::worker {

const plan_cache::entry& plan_cache::find(const learning::example_view& examples,
                                          const learning::model& model,
                                          const parameters::slicer& slicer) {
  const auto wanted = name_of(examples);
  if (const auto found = by_name_.find(wanted); found != by_name_.end()) {
    ++hits_;
    kept_.splice(kept_.begin(), kept_, found->second);
    return kept_.front().content;
  }
  kept made{wanted, {model.plan(examples), {}}, 0};
  made.content.slices = slicer.cut(made.content.plan.keys);
  made.bytes = bytes_of(made.content);
  kept_.push_front(std::move(made));
  by_name_[wanted] = kept_.begin();
  bytes_ += kept_.front().bytes;
  // The newest stays, however large it is: it is about to be used.
  for (; bytes_ > bytes_max_ && kept_.size() > 1; kept_.pop_back()) {
    bytes_ -= kept_.back().bytes;
    by_name_.erase(kept_.back().of);
  }
  return kept_.front().content;
}

plan_cache::name plan_cache::name_of(const learning::example_view& examples) {
  if (examples.offsets.empty()) return {};
  // The offsets may be a peer's nonsense, which is for the model to find out.
  const auto range = std::uint64_t{examples.offsets.front()} << 32 | examples.offsets.back();
  const auto& indices = examples.indices;
  return {XXH3_64bits_withSeed(indices.data(), indices.size_bytes(), range), indices.size()};
}

std::size_t plan_cache::bytes_of(const entry& e) {
  auto bytes = sizeof(kept) + e.plan.keys.size() * sizeof(e.plan.keys[0]) +
               e.plan.rows.size() * sizeof(e.plan.rows[0]);
  for (const auto& slice : e.slices)
    bytes += sizeof(slice) + slice.keys.size() * sizeof(slice.keys[0]) +
             slice.positions.size() * sizeof(slice.positions[0]) +
             slice.parts.size() * sizeof(slice.parts[0]);
  return bytes;
}

} // namespace gradmesh::worker
