#pragma once

/// The actor that writes a shard's clock log, on a thread of its own, so that the shard never waits
/// for a disk. Ends itself after the last block.
///
/// Failure: the first error of the disk ends the recording (recorder.hpp) and is logged; later
/// blocks are dropped.

#include "actors/actors.hpp"
#include "actors/env/disk.hpp"
#include "actors/env/log.hpp"
#include "actors/record/recorder.hpp"

#include <memory>
#include <string>

namespace gradmesh::record {

struct log_writer_state {
  std::shared_ptr<env::growing_file> file;
  std::shared_ptr<write_progress> progress;
  env::log_sink log;

  void write(const log_block& block);

private:
  void fail(const error& why);
};

log_writer_actor::behavior_type
log_writer(log_writer_actor::stateful_pointer<log_writer_state> self,
           std::shared_ptr<env::growing_file> file, std::shared_ptr<write_progress> progress,
           env::log_sink log);

} // namespace gradmesh::record
