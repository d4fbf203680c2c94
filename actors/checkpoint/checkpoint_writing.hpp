#pragma once

/// The actor that writes checkpoints (store/checkpoint_writer.hpp), on a thread of its own, so that
/// neither a shard nor the coordinator ever waits for a disk.
///
/// Messages: checkpoint_begin, checkpoint_part ..., checkpoint_end, all of one sender; what comes
/// of them is told to a listener, which passes it on to the sender. A sender bounds what is on its
/// way by `checkpoint_taken`.
///
/// Failure: a full disk, a sync that fails or a chunk that must not be is `checkpoint_failed`, once
/// for a ticket; later messages of that ticket are dropped. Training goes on, the checkpoints
/// before stay, and the next ticket tries anew.

#include "actors/actors.hpp"
#include "actors/env/disk.hpp"
#include "actors/env/log.hpp"
#include "actors/store/checkpoint_retention.hpp"
#include "actors/store/checkpoint_writer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace gradmesh::checkpoint {

/// So many bytes of chunks wait no more, whether they were written or dropped.
struct checkpoint_taken {
  std::uint64_t ticket = 0;
  std::uint64_t bytes = 0;
};
/// It is on the disk, whole.
struct checkpoint_done {
  std::uint64_t ticket = 0;
  std::uint64_t number = 0;
  store::checkpoint_size size;
  store::retention_figures removed;
  /// Why old ones could not be taken away; none: they were.
  error not_removed;
};
/// There is none of this ticket. To be shown.
struct checkpoint_failed {
  std::uint64_t ticket = 0;
  error why;
};
using checkpoint_event = std::variant<checkpoint_taken, checkpoint_done, checkpoint_failed>;

/// Called on the writer's thread.
using checkpoint_listener = std::function<void(const checkpoint_event&)>;

struct checkpoint_settings {
  std::string folder;     // of the job
  std::uint64_t keep = 3; // checkpoints, at least 1
  store::checkpoint_options options;
};

struct checkpoint_writing_state {
  std::shared_ptr<env::disk> disk;
  env::log_sink log;
  checkpoint_settings settings;
  checkpoint_listener tell;

  void begin(std::uint64_t ticket);
  void add(const checkpoint_part& part);
  void end(const checkpoint_end& all);
  void drop(std::uint64_t ticket);

private:
  void fail(const error& why);

  std::uint64_t ticket_ = 0;
  std::optional<store::checkpoint_writer> writer_; // none: nothing is being written
};

checkpoint_writer_actor::behavior_type
checkpoint_writing(checkpoint_writer_actor::stateful_pointer<checkpoint_writing_state> self,
                   std::shared_ptr<env::disk> disk, env::log_sink log, checkpoint_settings settings,
                   checkpoint_listener tell);

} // namespace gradmesh::checkpoint
