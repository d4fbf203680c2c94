#pragma once

/// A mesh in virtual time: the real coordinator, shards, workers and data servers, scheduled one
/// after the other on the caller's thread, linked by memory, on a disk in memory, with seeded
/// entropy. Nothing waits for real: when nothing is left to do, the clock goes on to the next
/// timer. The same calls give the same run.
///
/// One owner, one thread. Errors are those of what is called, with the text that a user would see.

#include "actors/env/clock.hpp"
#include "actors/env/memory_disk.hpp"
#include "actors/env/network/memory_network.hpp"
#include "actors/node/node.hpp"
#include "actors/store/model_content.hpp"
#include "tools/simulation/job_client.hpp"
#include "tools/simulation/tapped_network.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::simulation {

struct mesh_options {
  rule_set rules{}; // that the nodes keep
  wire_tap tap{};   // of what nodes send to each other; may be empty
  env::device_opener open_device{};
  env::log_sink log = env::no_log();
};

class virtual_mesh {
public:
  explicit virtual_mesh(const mesh_options& options = {});
  ~virtual_mesh();
  virtual_mesh(const virtual_mesh&) = delete;
  virtual_mesh& operator=(const virtual_mesh&) = delete;

  /// Starts a node from the text of its file.
  result<node::node*> add_node(const std::string& ini);
  /// A coordinator, and so many servers ("server-0", ...), workers and data servers. `extra` ends
  /// the file of each.
  result<void> add_roles(std::size_t servers, std::size_t workers, std::size_t data_servers,
                         const std::string& extra = {});
  /// The file of a node that add_roles starts: "server" number 1, ...
  static std::string node_file(const std::string& role, std::size_t number);
  void stop_node(std::size_t index);
  /// As if the process had died.
  void cut(const node::node& node);
  node::node& node_at(std::size_t index) { return *nodes_[index].node; }
  /// Why a node ended itself; no code if it did not.
  error end_of(std::size_t index) const { return *nodes_[index].end; }

  /// Lets everything happen that is due now.
  void settle();
  /// Lets so many messages be handled, while no time passes.
  void handle(std::size_t messages);
  /// Lets things happen, and time pass whenever nothing is due, until something holds. False if
  /// `limit` of virtual time has passed before.
  bool run_until(const std::function<bool()>& holds, std::chrono::milliseconds limit);

  /// Submits a job as a client would. The job's text is the job file.
  result<void> submit(const std::string& job, std::chrono::seconds wait = std::chrono::seconds(10),
                      const resume_point& from = {});
  result<void> cancel(std::uint64_t job_id);
  /// Asks for other options of the running job; the epoch from which on they count.
  result<std::uint32_t> change(const std::vector<std::string>& options);
  /// Runs until the submitted job has ended. Errors: `timed_out` after so much virtual time.
  result<job_outcome> finish(std::chrono::minutes limit = std::chrono::minutes(10));
  const job_outcome& outcome() const { return client_ ? client_->outcome() : no_outcome_; }
  /// The refusal that the client got last.
  const error& refusal() const { return client_ ? client_->refusal() : no_refusal_; }
  result<std::size_t> members();
  /// The next request goes to the coordinator that listens then.
  void forget_client();

  env::time_point now() const;
  env::memory_disk& disk() { return *disk_; }
  result<store::model_content> read_model(const std::string& path);

private:
  struct running_node {
    std::unique_ptr<node::node> node;
    std::shared_ptr<error> end;
  };
  struct scheduler; // CAF's, kept out of this header

  result<void> start_client();

  std::unique_ptr<scheduler> scheduler_;
  std::shared_ptr<env::memory_hub> hub_;
  std::shared_ptr<env::memory_disk> disk_;
  env::environment environment_;
  std::vector<running_node> nodes_;

  std::unique_ptr<job_client> client_;
  const job_outcome no_outcome_;
  const error no_refusal_;
};

} // namespace gradmesh::simulation
