#pragma once

/// One job on one shard: checks and answers pulls and pushes, by the rules of its strategy
/// (strategy.hpp). Pulls that the strategy does not let read yet wait here. Plain code; the actor
/// around it only passes messages on.
///
/// Every message is checked before anything is changed. An error that a function returns is what
/// the sender is told; it leaves the job as it was.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"
#include "actors/record/event_sink.hpp"
#include "actors/rules.hpp"
#include "actors/server_shard/shard_parameters.hpp"
#include "actors/server_shard/strategy.hpp"

#include <cstdint>
#include <memory>
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
  /// Goes on by another plan of the same job: the parameters stay, the strategy begins anew with
  /// the plan's first step. Pulls that wait for the old one are refused. Errors: `refused` if
  /// tables, partitions or members are others.
  result<void> change(job::job_plan plan);
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
  /// The job is over; nothing follows.
  void end();

  result<void> pull(const message<schema::Pull>& request);
  result<void> push(const message<schema::Push>& request);
  result<void> export_partition(const message<schema::ExportPartition>& request);

private:
  /// One that may not read yet.
  struct waiting_pull {
    message<schema::Pull> request;
    env::time_point since;
  };

  shard_job(job::job_plan plan, std::size_t index, parameters::parameter_store store,
            std::shared_ptr<mesh::router> router, const rule_set& rules);

  /// Whether a pull or push is of a worker of this job, for this shard, in the present layout.
  template <class Request>
  result<void> check_request(const message<Request>& request) const;
  /// A step that a worker names, where workers take steps by rank.
  result<void> check_step(std::uint64_t step) const;
  /// The pieces that a push of a worker names.
  result<void> check_batch(std::uint32_t rank, const pushed_part& part) const;
  /// A pull that is being answered.
  struct pull_answer {
    const message<schema::Pull>& request;
    const std::vector<requested_part>& parts;
    double held_seconds = 0;
  };
  /// Reads the parameters now and sends them. `retry_later` if what the worker has not read yet
  /// fills the queue to it.
  result<void> answer(const message<schema::Pull>& request, double held_seconds);
  void answer_waiting();
  result<void> send_parts(const pull_answer& to);
  result<void> send_values(const pull_answer& to, std::span<const std::uint32_t> numbers,
                           std::uint8_t priority, mesh::frame_body body);
  result<void> take_parts(const message<schema::Push>& request,
                          std::vector<std::uint64_t>& staleness);
  void count(const taken_part& taken);
  void tell_read(const message<schema::Pull>& request);
  void tell_push(std::uint32_t rank, const pushed_part& part, std::uint64_t clock,
                 const taken_part& taken);
  void acknowledge(const message<schema::Push>& request,
                   const std::vector<std::uint64_t>& staleness);

  job::job_plan plan_;
  std::size_t index_; // of the shard in the job
  const std::shared_ptr<mesh::router> router_;
  const rule_set rules_;
  shard_parameters parameters_;
  std::unique_ptr<strategy> strategy_;
  std::vector<waiting_pull> waiting_; // in the order in which they came
  env::time_point now_;
  shard_counters counters_;
  std::unique_ptr<record::event_sink> sink_; // null: nobody wants to know
  std::vector<record::part_run> parts_sent_; // of the pull that is being answered
};

} // namespace gradmesh::server_shard
