#pragma once

/// The coordinator: keeps membership and runs one job at a time. Interface and messages:
/// actors.hpp, schema/cluster.capnp, schema/job.capnp.
///
/// Failure: a member that is without a link or silent for too long is removed; a job that it takes
/// part in regroups (job_run.hpp). If the coordinator itself ends, its members notice by
/// their links, and go on with what they do; with a log it goes on where it was when it begins
/// again. A log that cannot be written ends it: what it said then it would not know in its next
/// life, and that one can go on as soon as the disk can.

#include "actors/actors.hpp"
#include "actors/coordinator/job_run.hpp"
#include "actors/coordinator/membership.hpp"
#include "actors/node/context.hpp"

#include <memory>

namespace gradmesh::coordinator {

struct coordinator_options {
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds node_timeout{1'000};
  std::shared_ptr<job_log> log; // null: a job is lost with the coordinator
};

struct coordinator_state {
  using pointer = coordinator_actor::stateful_pointer<coordinator_state>;

  pointer self = nullptr;
  node::context_ptr context;
  mesh::service_id service{mesh::service_kind::coordinator, 0};
  coordinator_options options;
  env::time_point began;
  std::unique_ptr<membership> members;
  std::unique_ptr<job_run> job;
  std::uint64_t jobs = 0;
  env::time_point told_at; // followers, last
  bool ends = false;       // the log cannot be written

  void start();
  result<void> admit(const message<schema::Register>& request);
  result<void> heard(const message<schema::Heartbeat>& heartbeat);
  result<void> status(const message<schema::StatusRequest>& request) const;
  result<void> change(const message<schema::ChangeJob>& request);
  result<void> submit(const message<schema::SubmitJob>& request);
  result<void> drain(const message<schema::DrainNode>& request);
  result<void> create_checkpoint(const message<schema::CreateCheckpoint>& request);
  void told(const checkpoint_told& what);
  void lose(const mesh::node_uuid& uuid, const error& why);
  void refused(const message<schema::Refusal>& refusal);
  void on_tick();
  void shut_down(const std::string& reason);
  /// Runs an event of the present job; one for another job is late and ignored.
  template <class Event>
  result<void> for_job(std::uint64_t id, Event event);
  env::time_point now() const { return env::now(*self); }

private:
  mesh::draft<schema::Registered> registered() const;
  /// Better now than after the training.
  result<void> check_model_file(const std::string& path) const;
  /// Ends the coordinator if its log cannot be written.
  bool log_failed();
  void publish_view();
  void tell_client();
  void report() const;
};

coordinator_actor::behavior_type coordinator(coordinator_state::pointer self,
                                             node::context_ptr context,
                                             coordinator_options options);

} // namespace gradmesh::coordinator
