#pragma once

/// A guest of a mesh: links to the coordinator without becoming a member, submits and follows jobs,
/// asks for status. Its calls block the calling thread, each for a stated time at most.

#include "actors/env/environment.hpp"
#include "actors/mesh/router.hpp"
#include "tools/mesh_access.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace gradmesh::tools {

struct submission {
  std::string config; // the job file, resolved; empty: that of the checkpoint
  std::uint32_t min_servers = 1;
  std::uint32_t min_workers = 1;
  std::uint32_t min_data_servers = 1;
  std::chrono::seconds wait{30}; // for members
  /// Folder of checkpoints on the coordinator's machine that the job goes on from, and which of
  /// them (0: the newest that is whole); empty: it begins anew.
  std::string resume_from = {};
  std::uint64_t resume_number = 0;
};

/// From where on a job takes other options.
struct job_change {
  std::uint64_t job_id = 0;
  std::uint64_t step = 0;
  std::uint32_t epoch = 0; // from 0
};

class mesh_client {
public:
  /// Links to the coordinator. Errors: `unreachable` (nobody listens there), `timed_out`,
  /// `incompatible_peer`, those of tls_context::make; the text says who was tried, for how long,
  /// and what to do.
  static result<std::unique_ptr<mesh_client>> connect(const env::environment& environment,
                                                      const mesh_access& access);
  ~mesh_client();

  /// Links again after a link that broke, to whoever is the coordinator at the address now. What
  /// was asked before is not answered any more. Errors: as for connect.
  result<void> relink(std::chrono::milliseconds limit);

  /// Returns the job's number. Errors: the coordinator's refusal.
  result<std::uint64_t> submit(const submission& job);
  /// Waits for the next update of the submitted job, but not longer than `limit`: then nothing.
  /// Errors: `node_lost` when the link to the coordinator broke.
  result<std::optional<mesh::message<schema::JobUpdate>>>
  next_update(std::chrono::milliseconds limit);
  /// Changes options ("job.strategy=ssp") of the running job. Errors: the coordinator's refusal.
  result<job_change> change(const std::vector<std::string>& options);
  /// Takes a node out of the running job; how many replicas of shards have to leave it first.
  /// Errors: the coordinator's refusal.
  result<std::uint32_t> drain(const std::string& node);
  /// Has a checkpoint of the running job made, and waits for it. Errors: the coordinator's refusal,
  /// `timed_out`.
  result<mesh::message<schema::CheckpointCreated>> create_checkpoint(std::chrono::seconds limit);
  void cancel(std::uint64_t job_id);
  result<mesh::message<schema::Status>> status();
  /// Asks the coordinator to end the whole mesh.
  void shut_down(const std::string& reason);

private:
  mesh_client() = default;
  result<void> on_frame(const mesh::frame_ptr& f);
  /// Waits for the answer to a request.
  result<mesh::frame_ptr> answer_to(const result<mesh::sent_message>& request, const char* what,
                                    std::chrono::milliseconds limit);
  result<mesh::frame_ptr> answer_to(const result<mesh::sent_message>& request, const char* what) {
    return answer_to(request, what, limit_);
  }

  static constexpr mesh::service_id service_{mesh::service_kind::client, 0};
  config::endpoint coordinator_at_;
  std::chrono::milliseconds limit_{};
  std::shared_ptr<env::network> network_;
  std::shared_ptr<mesh::router> router_;
  mesh::address coordinator_;

  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  bool linked_ = false;
  std::optional<error> broken_;
  std::deque<mesh::frame_ptr> answers_;
  std::deque<mesh::message<schema::JobUpdate>> updates_;
};

} // namespace gradmesh::tools
