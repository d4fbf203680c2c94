#pragma once

/// What a mesh says of itself, asked again and again: its coordinator may die, hang and come back
/// meanwhile.

#include "tools/chaos/recovery.hpp"
#include "tools/mesh_client.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::tools::chaos {

/// The nodes with the copies of a shard.
struct shard_hosts {
  std::string primary;
  std::string backup; // empty: there is none
  bool synced = false;
};

struct mesh_view {
  time_point taken;
  std::map<std::string, std::uint64_t> members; // incarnation by name
  std::vector<worker_report> workers;
  std::vector<shard_hosts> shards; // of the job

  std::uint64_t job_id = 0;
  schema::JobPhase phase = schema::JobPhase::NONE;
  std::string text;        // why it failed
  std::string failed_node; // which node that began with
  std::string sha256;      // of the parameters, once the job is done

  /// Whether a node has the only whole copy of a shard: nobody promises to survive its loss.
  bool has_only_copy(const std::string& node) const;
};

class mesh_watch {
public:
  mesh_watch(const env::environment& environment, mesh_access access);

  /// Waits for the answer for at most `answer_limit`; links again where the link is broken. Errors:
  /// those of mesh_client.
  result<mesh_view> look();
  /// Waits as long as other clients do. Errors: those of mesh_client.
  result<std::uint64_t> submit(const submission& job);
  void shut_down(const std::string& reason);

private:
  result<mesh_client*> linked();

  const env::environment& environment_;
  mesh_access access_;
  std::unique_ptr<mesh_client> client_;
};

inline constexpr std::chrono::milliseconds answer_limit{1000};

} // namespace gradmesh::tools::chaos
