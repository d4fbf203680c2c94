#include "actors/checkpoint/checkpoint_writing.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace gradmesh::checkpoint {

void checkpoint_writing_state::begin(std::uint64_t ticket) {
  if (ticket <= ticket_) return;
  if (writer_) writer_->abandon();
  writer_.reset();
  ticket_ = ticket;
  auto begun = store::checkpoint_writer::begin(disk, settings.folder, settings.options);
  if (!begun) return fail(begun.failure());
  writer_.emplace(*std::move(begun));
}

void checkpoint_writing_state::add(const checkpoint_part& part) {
  result<void> added;
  if (writer_ && part.ticket == ticket_) added = writer_->add(*part.chunk);
  tell(checkpoint_taken{part.ticket, part.chunk->bytes.size()});
  if (!added) fail(added.failure());
}

void checkpoint_writing_state::end(const checkpoint_end& all) {
  if (!writer_ || all.ticket != ticket_) return;
  const auto written = writer_->commit(*all.summary, all.shards);
  if (!written) return fail(written.failure());
  writer_.reset();
  checkpoint_done done{all.ticket, written->number, store::size_of(*written), {}, {}};
  if (auto removed = store::retain_checkpoints(disk, settings.folder, settings.keep)) {
    done.removed = *removed;
  } else {
    done.not_removed = removed.failure();
    log(env::severity::warning,
        "checkpoint: old ones stay and take their space: " + removed.failure().text);
  }
  tell(done);
}

void checkpoint_writing_state::drop(std::uint64_t ticket) {
  if (ticket != ticket_ || !writer_) return;
  writer_->abandon();
  writer_.reset();
}

void checkpoint_writing_state::fail(const error& why) {
  if (writer_) writer_->abandon();
  writer_.reset();
  log(env::severity::warning, "checkpoint: none was written, the training goes on: " + why.text);
  tell(checkpoint_failed{ticket_, why});
}

checkpoint_writer_actor::behavior_type
checkpoint_writing(checkpoint_writer_actor::stateful_pointer<checkpoint_writing_state> self,
                   std::shared_ptr<env::disk> disk, env::log_sink log, checkpoint_settings settings,
                   checkpoint_listener tell) {
  auto& state = self->state;
  state.disk = std::move(disk);
  state.log = std::move(log);
  state.settings = std::move(settings);
  state.tell = std::move(tell);
  return {[self](const checkpoint_begin& begin) { self->state.begin(begin.ticket); },
          [self](const checkpoint_part& part) { self->state.add(part); },
          [self](const checkpoint_end& all) { self->state.end(all); },
          [self](const checkpoint_drop& drop) { self->state.drop(drop.ticket); }};
}

} // namespace gradmesh::checkpoint
