#include "actors/checkpoint/checkpoint_reading.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <ranges>
#include <utility>

namespace gradmesh::checkpoint {

void checkpoint_reading_state::open(const checkpoint_open& what) {
  store_.emplace(disk, what.folder, rules);
  auto found = what.number == 0 ? store_->latest_good(what.wanted.get())
                                : store_->good(what.number, what.wanted.get());
  if (!found) return tell(checkpoint_unreadable{found.failure()});
  const auto good = std::make_shared<const store::good_checkpoint>(*std::move(found));
  for (const auto& chunk : good->manifest.shards | std::views::join)
    chunks_.push_back(chunk);
  tell(checkpoint_opened{good});
}

void checkpoint_reading_state::fetch(std::uint64_t chunk) {
  if (chunk >= chunks_.size()) return;
  auto bytes = store_->read(chunks_[chunk]);
  if (!bytes) return tell(checkpoint_unreadable{bytes.failure()});
  tell(chunk_read{chunk, std::make_shared<const std::string>(*std::move(bytes))});
}

checkpoint_reader_actor::behavior_type
checkpoint_reading(checkpoint_reader_actor::stateful_pointer<checkpoint_reading_state> self,
                   std::shared_ptr<env::disk> disk, const rule_set& rules, reading_listener tell) {
  self->state.disk = std::move(disk);
  self->state.rules = rules;
  self->state.tell = std::move(tell);
  return {[self](const checkpoint_open& what) { self->state.open(what); },
          [self](const checkpoint_fetch& what) { self->state.fetch(what.chunk); }};
}

} // namespace gradmesh::checkpoint
