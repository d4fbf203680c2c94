#pragma once

/// The actor that reads the checkpoint that a job goes on from (store/checkpoint_store.hpp), on a
/// thread of its own: the coordinator has to answer heartbeats while gigabytes are compared with
/// their checksums.
///
/// Messages: checkpoint_open, then checkpoint_fetch for each chunk, from one sender, who bounds
/// what is on its way by asking for few at a time. What comes of them is told to a listener.
///
/// Failure: a checkpoint that is damaged, of another model or of a newer format is passed over for
/// the one before; none is left, or one that was named: `checkpoint_unreadable`. A chunk that
/// cannot be read any more is the same.

#include "actors/actors.hpp"
#include "actors/env/disk.hpp"
#include "actors/store/checkpoint_store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace gradmesh::checkpoint {

/// All of it is whole and of the model.
struct checkpoint_opened {
  std::shared_ptr<const store::good_checkpoint> checkpoint;
};
struct checkpoint_unreadable {
  error why;
};
struct chunk_read {
  std::uint64_t chunk = 0;
  std::shared_ptr<const std::string> bytes;
};
using reading_event = std::variant<checkpoint_opened, checkpoint_unreadable, chunk_read>;

/// Called on the reader's thread.
using reading_listener = std::function<void(const reading_event&)>;

struct checkpoint_reading_state {
  std::shared_ptr<env::disk> disk;
  rule_set rules;
  reading_listener tell;

  void open(const checkpoint_open& what);
  void fetch(std::uint64_t chunk);

private:
  std::optional<store::checkpoint_store> store_;
  std::vector<store::chunk_entry> chunks_; // of all shards
};

checkpoint_reader_actor::behavior_type
checkpoint_reading(checkpoint_reader_actor::stateful_pointer<checkpoint_reading_state> self,
                   std::shared_ptr<env::disk> disk, const rule_set& rules, reading_listener tell);

} // namespace gradmesh::checkpoint
