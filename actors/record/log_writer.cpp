#include "actors/record/log_writer.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::record {

void log_writer_state::write(const log_block& block) {
  progress->waiting_bytes -= block.bytes.size();
  if (progress->failed) return;
  if (auto written = file->append(block.bytes); !written) return fail(written.failure());
  progress->written_bytes += block.bytes.size();
  if (!block.last) return;
  if (progress->lost_events > 0)
    log(env::severity::warning, "job.record: the disk could not follow, " +
                                    std::to_string(progress->lost_events) +
                                    " events at the end are not recorded");
  if (auto synced = file->sync(); !synced) fail(synced.failure());
}

void log_writer_state::fail(const error& why) {
  progress->failed = true;
  log(env::severity::warning,
      "job.record: the recording ends here, the training goes on: " + why.text);
}

log_writer_actor::behavior_type
log_writer(log_writer_actor::stateful_pointer<log_writer_state> self,
           std::shared_ptr<env::growing_file> file, std::shared_ptr<write_progress> progress,
           env::log_sink log) {
  auto& state = self->state;
  state.file = std::move(file);
  state.progress = std::move(progress);
  state.log = std::move(log);
  return {[self](const log_block& block) {
    self->state.write(block);
    if (block.last) self->quit();
  }};
}

} // namespace gradmesh::record
