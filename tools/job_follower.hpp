#pragma once

/// INTERNAL to tools: follows a job to its end. The coordinator tells how far it is as long as the
/// link lives; after one that broke, it is asked.

#include "tools/follow.hpp"
#include "tools/job_view.hpp"

#include <chrono>
#include <memory>
#include <optional>

namespace gradmesh::tools {

class job_follower {
public:
  job_follower(mesh_client& client, std::uint64_t job_id, const follow_options& options,
               local_mesh* local);

  exit_code run();

private:
  using clock = std::chrono::steady_clock;

  /// Looks once; an exit code when there is no more to follow.
  std::optional<exit_code> look();
  /// Waits for the next update.
  std::optional<exit_code> listen();
  /// Asks for the state of the job, on a new link.
  std::optional<exit_code> ask();
  void lose_link(const error& why);
  std::optional<exit_code> seek_coordinator();
  exit_code interrupt();

  std::optional<exit_code> show(schema::JobUpdate::Reader job);
  exit_code finish(schema::JobUpdate::Reader job);
  /// The end of the following without one of the job; says what was heard last of a node that was
  /// the cause of it.
  exit_code give_up(const error& why);
  void look_after();
  /// A process that died is seen by its links before it is seen by its parent.
  std::optional<std::string> late_casualty();

  mesh_client& client_;
  std::uint64_t job_id_;
  const follow_options& options_;
  local_mesh* local_;
  std::unique_ptr<job_view> view_;
  clock::time_point last_heard_;
  std::optional<error> lost_; // the link, and nothing was found there since
  bool asking_ = false;
};

} // namespace gradmesh::tools
