#pragma once

/// One job from submission to its end: the phases of schema/job.capnp as a state machine. Plain
/// code: time comes in by argument, messages go out by the router.
///
/// Each phase is a barrier: it begins by asking some members and ends when all have answered. A
/// refusal by any of them, the loss of a member that takes part, or silence beyond the phase's
/// deadline fails the job with the name of who it was. An event that does not belong to the present
/// phase is late and ignored.

#include "actors/coordinator/job_change.hpp"
#include "actors/coordinator/job_report.hpp"
#include "actors/coordinator/membership.hpp"
#include "actors/node/context.hpp"
#include "actors/parameters/partition_content.hpp"

#include <set>

namespace gradmesh::coordinator {

struct job_request {
  std::uint64_t id = 0;
  config::job_config config;
  std::size_t min_servers = 1;
  std::size_t min_workers = 1;
  std::size_t min_data_servers = 1;
  std::chrono::seconds wait{0};
  mesh::address client;
};

class job_run {
public:
  job_run(job_request request, node::context_ptr context, mesh::service_id service,
          env::time_point now);

  std::uint64_t id() const { return request_.id; }
  const mesh::address& client() const { return request_.client; }
  bool ended() const;
  /// True once after something that a follower should be told at once.
  bool take_changed() { return std::exchange(changed_, false); }
  void fill_update(schema::JobUpdate::Builder out, env::time_point now) const;

  /// Starts when enough members are there; looks at deadlines.
  void on_tick(const membership& members, env::time_point now);
  result<void> on_data_loaded(const message<schema::DataLoaded>& loaded, env::time_point now);
  result<void> on_ready(const message<schema::PlanReady>& ready, env::time_point now);
  result<void> on_progress(const message<schema::PhaseProgress>& progress, env::time_point now);
  result<void> on_partition(const message<schema::PartitionContent>& content, env::time_point now);
  /// Takes other options from the end of an epoch on. Errors: `refused` when the job is not
  /// training or changes already, those of job_change.
  result<void> change(const message<schema::ChangeJob>& request);
  result<void> on_limit(const message<schema::PhaseLimit>& limit);
  void on_refused(const message<schema::Refusal>& refusal, env::time_point now);
  void on_member_lost(const member& lost, const error& why, env::time_point now);
  void fail(const error& why, const std::string& node, env::time_point now);
  void cancel(env::time_point now);

private:
  using phase = schema::JobPhase;

  void enter(phase next, env::time_point now);
  void finish(phase last, env::time_point now);
  /// True when the last of those that the phase waits for has answered.
  bool answered(const mesh::address& who);
  template <class T>
  bool ask(const std::vector<job::place>& places, const mesh::draft<T>& what, env::time_point now);
  template <class T>
  bool ask(const job::place& place, const mesh::draft<T>& what, env::time_point now);
  /// Whoever takes part, hosts of shards first.
  std::vector<job::place> participants() const;
  std::string name_of(const mesh::address& who) const;
  std::string waiting_names() const;

  std::vector<job::place> data_places(const membership& members) const;
  void load(env::time_point now);
  void prepare(env::time_point now);
  void ask_by_plan(env::time_point now);
  /// Goes on with the options of a change that was agreed on.
  void apply_change(env::time_point now);
  void start_phase(phase next, env::time_point now);
  void start_workers(env::time_point now);
  void save(env::time_point now);
  void export_more(env::time_point now);
  result<void> write_model();

  const job_request request_;
  const node::context_ptr context_;
  const mesh::service_id service_;
  job::job_plan plan_;
  job_report report_;
  phase phase_ = phase::WAITING;
  bool changed_ = true;
  std::set<mesh::address> waiting_for_;
  std::set<std::uint64_t> asked_; // message ids of the present phase's requests
  env::time_point wait_until_;
  std::uint32_t phase_number_ = 0;
  bool starting_ = false; // a phase's data servers have been asked, its workers not yet
  std::optional<job_change> change_;
  std::uint32_t exports_asked_ = 0;
  std::set<std::uint32_t> exporting_; // asked for, not come yet
  std::vector<parameters::partition_content> exported_;
};

} // namespace gradmesh::coordinator
