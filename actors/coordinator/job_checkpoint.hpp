#pragma once

/// Makes the checkpoints of a running job: has the shards come to a cut, takes their chunks, hands
/// them to the writer. The stages and why all shards are at one cut: schema/checkpointing.capnp.
/// Plain code but for its messages to the writer; time comes in by argument.
///
/// Failure: a checkpoint that fails, by the disk or by a member that is lost, is one less; training
/// goes on, the failure is counted and shown, and the next is tried at its time.
///
/// Chunks come at a bounded rate (chunk_pace.hpp): a shard sends the next when it is told that one
/// was taken, and is told so in time.
///
/// Memory: the chunks on their way to the disk, at most 4 of each shard.

#include "actors/checkpoint/checkpoint_news.hpp"
#include "actors/coordinator/chunk_pace.hpp"
#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/node/context.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::coordinator {

using mesh::message;

class job_checkpoint {
public:
  struct figures {
    std::uint64_t written = 0;
    std::uint64_t failed = 0;
    std::uint64_t number = 0; // of the last
    std::uint64_t step = 0;   // that it is of
    std::optional<env::time_point> at;
    std::string last_failure; // empty: the last one was written
  };

  /// `settings`: with a folder. The first is made an interval after `now`.
  job_checkpoint(node::context_ptr context, mesh::service_id self, checkpoint_writer_actor writer,
                 config::checkpoint_section settings, env::time_point now);

  /// Answered when it is on the disk. `training`: pushes come now.
  result<void> create(const message<schema::CreateCheckpoint>& request, const job::job_plan& plan,
                      bool training, env::time_point now);
  void on_tick(const job::job_plan& plan, bool training, env::time_point now);
  /// Errors: `malformed_message`. What is of another checkpoint is late and ignored.
  result<void> on_held(const message<schema::PushesHeld>& held, const job::job_plan& plan,
                       env::time_point now);
  void on_chunk(const message<schema::CheckpointChunk>& chunk, const job::job_plan& plan,
                env::time_point now);
  void on_written(const checkpoint::checkpoint_event& event, const job::job_plan& plan,
                  env::time_point now);
  /// It failed.
  void give_up(const error& why, env::time_point now);
  /// The members have changed: it begins again when they train.
  void begin_again(env::time_point now);
  /// The job is over: what the shards have given is written yet, the rest is given up.
  void job_is_over(env::time_point now);

  const figures& so_far() const { return figures_; }

private:
  enum class stage : std::uint8_t { none, holding, cutting, writing };
  /// What has come of a shard.
  struct part {
    std::uint64_t came = 0;
    std::uint64_t taken = 0;
    bool whole = false;
  };

  void begin(const job::job_plan& plan, env::time_point now);
  void cut(const job::job_plan& plan, env::time_point now);
  void send_stage(env::time_point now);
  void ask_again(const job::job_plan& plan);
  void tell_taken(const job::job_plan& plan, std::uint32_t shard, bool again);
  /// Tells of the chunks that were taken, as many as the pace allows.
  void tell_in_time(const job::job_plan& plan, env::time_point now);
  void end(env::time_point now, std::chrono::milliseconds until_next);
  void refuse(const error& why);
  void finish(const checkpoint::checkpoint_done& done, env::time_point now);
  void hand_over(const job::job_plan& plan);

  const node::context_ptr context_;
  const mesh::service_id self_;
  const checkpoint_writer_actor writer_;
  const config::checkpoint_section settings_;
  std::vector<message<schema::CreateCheckpoint>> asked_; // for the one that is made
  figures figures_;
  env::time_point next_at_;

  stage stage_ = stage::none;
  std::uint64_t job_id_ = 0;
  std::uint64_t ticket_ = 0;
  std::uint64_t layout_ = 0;
  std::uint32_t revision_ = 0;
  std::vector<mesh::address> hosts_;
  std::map<std::uint32_t, job::piece_set> held_; // by shard
  job::piece_set cut_;
  std::map<std::uint32_t, part> parts_;
  std::deque<std::uint32_t> on_their_way_; // to the writer: shards of chunks
  /// A chunk that was taken, of which its shard was not told yet.
  struct taken_chunk {
    std::uint32_t shard = 0;
    std::uint64_t bytes = 0;
  };
  std::deque<taken_chunk> untold_;
  chunk_pace pace_;
  env::time_point began_;
  env::time_point sent_at_;     // the stage
  env::time_point advanced_at_; // something came
  double held_seconds_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t steps_ = 0;
};

} // namespace gradmesh::coordinator
