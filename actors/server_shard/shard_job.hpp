#pragma once

/// One job on one shard: checks and answers pulls and pushes, by the rules of its strategy
/// (strategy.hpp). Pulls that the strategy does not let read yet wait here. Plain code; the actor
/// around it only passes messages on.
///
/// With a backup (replication.hpp) everything that is applied goes on to it, and a push is
/// acknowledged when the backup has it too. Where steps are summed that is when the push's step is
/// applied: until then nobody but its worker has it for good. (Without a backup it is acknowledged
/// when it is held: it goes with the shard in any case.)
///
/// Every message is checked before anything is changed. An error that a function returns is what
/// the sender is told; it leaves the job as it was.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"
#include "actors/record/event_sink.hpp"
#include "actors/rules.hpp"
#include "actors/server_shard/checkpoint_cut.hpp"
#include "actors/server_shard/image_chunk.hpp"
#include "actors/server_shard/replication.hpp"
#include "actors/server_shard/shard_parameters.hpp"
#include "actors/server_shard/strategy.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::server_shard {

/// Counted over the job, for status.
struct shard_counters {
  std::uint64_t pulls = 0;  // answered
  std::uint64_t pushes = 0; // acknowledged for the first time
  std::uint64_t repeated_parts = 0;
  std::uint64_t late_parts = 0;     // of steps that were applied without them
  std::uint64_t dropped_pushes = 0; // that a step was applied without
  std::uint64_t refused = 0;
};

class shard_job {
public:
  /// Creates the initial parameters of the shard `index` of the plan.
  static result<std::unique_ptr<shard_job>>
  make(job::job_plan plan, std::size_t index, std::shared_ptr<mesh::router> router,
       const rule_set& rules = {}, const parameters::rule_registry& update_rules = {});

  std::uint64_t id() const { return plan_.job_id; }
  std::uint32_t revision() const { return plan_.revision; }
  /// Goes on by another plan of the same job: the parameters stay. With other options the strategy
  /// begins anew with the plan's first step; with the same ones, for another generation of workers,
  /// it goes on where it is, and forgets pushes that are not applied.
  /// Pulls that wait are refused. Errors: `refused` if tables, partitions or the number of shards
  /// are others.
  result<void> change(job::job_plan plan);
  /// Requests are of the layout with this number from now on. Pulls that wait are refused.
  void set_layout(std::uint64_t number);
  /// Where changes go on to; null: nowhere. What waited for another backup is acknowledged if this
  /// one has it, or there is none. It outlives its use here.
  void set_backup(replication* backup);
  /// It is the primary no more: nobody who waits for an acknowledgement gets one.
  void drop_acknowledgements();
  /// It becomes the primary in the place of another, which had perhaps applied more pushes than
  /// were replicated: workers may have read that, and push what they computed from it.
  void take_over() { took_over_ = true; }
  /// Acknowledges what the backup has.
  void acknowledge_replicated();

  // On a backup.

  /// Does what the primary did: a change, in as many messages as it came. Errors leave everything
  /// as it was.
  result<void> repeat(std::span<const message<schema::Replicate>> change);
  /// A chunk of an image; what is not parameters goes to `state`, which is set when all are in.
  result<void> load(std::span<const std::byte> chunk, strategy_state& state) {
    return load_chunk(chunk, parameters_.store(), state);
  }
  void restore(strategy_state state) { strategy_->restore(std::move(state)); }

  // For checkpoints.

  /// Keeps pushes waiting that are not begun; what is, or nothing if it is past that.
  std::optional<job::piece_set> hold_pushes(const checkpoint_cut::ticket& asked);
  /// Takes the pushes of the cut, then sends the image of the shard.
  void cut(const checkpoint_cut::ticket& asked, job::piece_set pieces);
  void end_cut(std::uint64_t ticket);
  void on_chunks_taken(const message<schema::CheckpointTaken>& taken);
  /// Takes in what is its own of a checkpoint that the job goes on from; what is not parameters
  /// goes to `state`.
  result<void> take_in(std::span<const std::byte> chunk, strategy_state& state) {
    return restore_chunk(chunk, parameters_.store(), state);
  }
  /// All is in: begins with the cut of the plan.
  void begin_with_cut(strategy_state state);
  /// Looks at the time.
  void tick();

  std::vector<mesh::frame_body> image() const {
    return make_image(parameters_.store(), strategy_->state(), rules_);
  }
  job::piece_set done() const { return strategy_->done(); }
  shard_parameters& parameters() { return parameters_; }
  std::uint32_t index() const { return static_cast<std::uint32_t>(index_); }
  const shard_counters& counters() const { return counters_; }
  /// Updates applied.
  std::uint64_t clock() const { return strategy_->clock(); }
  std::uint64_t sparse_keys() const { return parameters_.store().sparse_keys(); }
  std::size_t waiting_pulls() const { return waiting_.size(); }

  /// What time it is; told before each of the calls below.
  void set_time(env::time_point now) { now_ = now; }
  /// From now on everything is told to `sink`.
  void tell(std::unique_ptr<record::event_sink> sink) { sink_ = std::move(sink); }
  /// The plan that the job goes on by, as the sink is told it.
  void tell(const record::plan_record& plan) {
    if (sink_) sink_->add(plan);
  }
  /// Its record ends: the job is over, or another server has the shard from now on.
  void end_record(record::ending how);

  result<void> pull(const message<schema::Pull>& request);
  result<void> push(const message<schema::Push>& request);
  result<void> export_partition(const message<schema::ExportPartition>& request);

private:
  /// One that may not read yet.
  struct waiting_pull {
    message<schema::Pull> request;
    env::time_point since;
  };

  /// An acknowledgement that waits: for the open step, or for the backup to have a change. Without
  /// the push, whose memory the next one may have.
  struct held_ack {
    mesh::frame_header request;
    std::vector<std::uint64_t> staleness;
    std::uint64_t change = 0;
  };

  shard_job(job::job_plan plan, std::size_t index, parameters::parameter_store store,
            std::shared_ptr<mesh::router> router, const rule_set& rules);

  /// Whether a pull or push is of a worker of this job, for this shard, in the present layout.
  template <class Request>
  result<void> check_request(const message<Request>& request) const;
  /// A step that a worker names, where workers take steps by rank.
  result<void> check_step(std::uint64_t step) const;
  /// The pieces that a push of a worker names: all of the worker's where they are summed, otherwise
  /// one, so that pushes name the same pieces whatever the number of workers.
  result<void> check_batch(std::uint32_t rank, const pushed_part& part) const;
  /// A pull that is being answered.
  struct pull_answer {
    const message<schema::Pull>& request;
    const std::vector<requested_part>& parts;
    const previous_version* version = nullptr; // null: the parameters as they are
    double held_seconds = 0;
    std::uint64_t own_missing = 0; // as in Pulled
  };
  /// Reads the parameters now and sends them. `retry_later` if what the worker has not read yet
  /// fills the queue to it.
  result<void> answer(const message<schema::Pull>& request, double held_seconds);
  /// Whether the strategy lets a worker read. Where steps are summed nobody goes on from one that
  /// the backup lacks, so that no shard is more than a step ahead of any other's backup.
  bool may_read(schema::Pull::Reader pull) const;
  void answer_waiting();
  result<void> send_parts(const pull_answer& to);
  result<parameters::shared_floats> values_of(const pull_answer& to, const requested_part& part);
  result<void> send_values(const pull_answer& to, std::span<const std::uint32_t> numbers,
                           std::uint8_t priority, mesh::frame_body body);
  /// What became of the parts of a push that were taken.
  struct taken_parts {
    std::vector<std::uint64_t> staleness; // of each
    bool wait = false;                    // for the open step
  };
  result<void> take_parts(const message<schema::Push>& request, taken_parts& taken);
  result<void> take_checked(const message<schema::Push>& request,
                            const std::vector<pushed_part>& parts, taken_parts& taken);
  result<void> take_push(const message<schema::Push>& request);
  result<void> park(const message<schema::Push>& request);
  bool passes_cut(const message<schema::Push>& push) const;
  void advance_cut();
  void take_parked();
  void acknowledge_applied(held_ack ack);
  void refuse_waiting(const error& why);
  void count(const taken_part& taken);
  void tell_read(const pull_answer& answered);
  void tell_push(std::uint32_t rank, const pushed_part& part, std::uint64_t clock,
                 const taken_part& taken);
  void acknowledge(const held_ack& ack);

  job::job_plan plan_;
  std::size_t index_; // of the shard in the job
  const std::shared_ptr<mesh::router> router_;
  const rule_set rules_;
  shard_parameters parameters_;
  std::unique_ptr<strategy> strategy_;
  std::uint64_t layout_;
  replication* backup_ = nullptr;
  std::vector<waiting_pull> waiting_;   // in the order in which they came
  std::vector<held_ack> of_open_step_;  // acknowledged when it is applied
  bool open_step_acknowledged_ = false; // a push that is held was, without a backup
  bool took_over_ = false;
  std::deque<held_ack> of_changes_; // acknowledged when the backup has them
  checkpoint_cut cut_;
  env::time_point now_;
  shard_counters counters_;
  std::unique_ptr<record::event_sink> sink_; // null: nobody wants to know
  std::vector<record::part_run> parts_sent_; // of the pull that is being answered
};

} // namespace gradmesh::server_shard
