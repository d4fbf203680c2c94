#pragma once

/// The coordinator: keeps membership and runs one job at a time. Interface and messages:
/// actors.hpp, schema/cluster.capnp, schema/job.capnp.
///
/// Failure: a member whose link breaks or that is silent for too long is removed, and fails the job
/// if it takes part; the client that submitted the job is told. If the coordinator itself ends, its
/// members notice by their links.

#include "actors/actors.hpp"
#include "actors/coordinator/job_run.hpp"
#include "actors/coordinator/membership.hpp"
#include "actors/node/context.hpp"

#include <memory>

namespace gradmesh::coordinator {

struct coordinator_options {
  std::chrono::milliseconds heartbeat{200};
  std::chrono::milliseconds node_timeout{10'000};
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

  result<void> admit(const message<schema::Register>& request);
  result<void> status(const message<schema::StatusRequest>& request) const;
  result<void> change(const message<schema::ChangeJob>& request);
  result<void> submit(const message<schema::SubmitJob>& request);
  void lose(const mesh::node_uuid& uuid, const error& why);
  void refused(const message<schema::Refusal>& refusal);
  void on_tick();
  void shut_down(const std::string& reason);
  /// Runs an event of the present job; one for another job is late and ignored.
  template <class Event>
  result<void> for_job(std::uint64_t id, Event event);
  env::time_point now() const { return env::now(*self); }

private:
  /// Better now than after the training.
  result<void> check_model_file(const std::string& path) const;
  void publish_view();
  void tell_client();
  void report() const;
};

coordinator_actor::behavior_type coordinator(coordinator_state::pointer self,
                                             node::context_ptr context,
                                             coordinator_options options);

} // namespace gradmesh::coordinator
