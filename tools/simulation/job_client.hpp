#pragma once

/// A client of a mesh: submits a job and hears of it. Plain code on a network of its own; what it
/// was told last is there to be looked at.

#include "actors/env/network/network.hpp"
#include "actors/mesh/router.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::simulation {

/// What a client of the mesh was told last of its job.
struct job_outcome {
  schema::JobPhase phase = schema::JobPhase::NONE;
  std::string text;
  std::string failed_node;
  std::string parameters_sha256;
  std::string model_file;
  std::uint64_t test_correct = 0;
  std::uint64_t test_done = 0;
  std::string strategy;
  std::uint64_t examples_done = 0;
  std::uint64_t staleness_max = 0;
  double loss = 0;
  /// All of it, once there was one.
  std::optional<mesh::message<schema::JobUpdate>> update;

  bool ended() const {
    return phase == schema::JobPhase::DONE || phase == schema::JobPhase::FAILED ||
           phase == schema::JobPhase::CANCELLED;
  }
};

/// The least members that a job begins with.
struct job_members {
  std::uint32_t servers = 1;
  std::uint32_t workers = 1;
  std::uint32_t data_servers = 1;
};

/// The checkpoint that a job goes on from; no folder: it begins anew.
struct resume_point {
  std::string folder;
  std::uint64_t number = 0; // 0: the newest
};

class job_client {
public:
  using network_maker = std::function<std::shared_ptr<env::network>(env::network_options)>;

  job_client(const network_maker& make_network, const mesh::node_uuid& uuid);
  ~job_client();
  job_client(const job_client&) = delete;
  job_client& operator=(const job_client&) = delete;

  result<void> start();
  void dial(const config::endpoint& coordinator);
  bool dialling() const { return dialling_; }
  bool linked() const { return coordinator_.has_value(); }
  /// The job before this one is of no interest any more.
  void forget();
  /// Why the last dial failed, or the link ended.
  const error& failure() const { return failure_; }

  // Requests. They forget the last answer; errors: those of sending.
  result<void> submit(const std::string& job, std::chrono::seconds wait,
                      const job_members& least = {}, const resume_point& from = {});
  result<void> cancel(std::uint64_t job_id);
  result<void> change(const std::vector<std::string>& options);
  result<void> ask_status();
  result<void> create_checkpoint();

  // Answers.
  std::uint64_t job_id() const { return job_id_; } // 0: none was accepted
  const job_outcome& outcome() const { return outcome_; }
  const error& refusal() const { return refusal_; }
  std::optional<std::size_t> members() const { return members_; }
  std::optional<std::uint32_t> changed_from() const { return changed_from_; }
  /// The number of the last checkpoint that was made for this client; 0: none was.
  std::uint64_t checkpoint() const { return checkpoint_; }

private:
  template <class T>
  result<void> send(const mesh::draft<T>& request);
  result<void> on_frame(const mesh::frame_ptr& f);

  std::shared_ptr<env::network> network_;
  std::shared_ptr<mesh::router> router_;
  std::optional<mesh::address> coordinator_;
  bool dialling_ = false;
  error failure_;
  std::uint64_t job_id_ = 0;
  job_outcome outcome_;
  error refusal_;
  std::optional<std::size_t> members_;
  std::optional<std::uint32_t> changed_from_;
  std::uint64_t checkpoint_ = 0;
};

} // namespace gradmesh::simulation
