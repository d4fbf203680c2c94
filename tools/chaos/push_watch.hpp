#pragma once

/// Which pushes the shards of a mesh acknowledge, and which they refuse, and when: read from the
/// connections that go through the fault proxy, so to the millisecond, and without a word from the
/// nodes.
///
/// Threads: any; the listeners are called on the proxy's. Limits: what is noted since `mark`.

#include "tools/chaos/fault_proxy.hpp"
#include "tools/chaos/frame_scan.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace gradmesh::tools::chaos {

/// A push that was answered.
struct answered_push {
  clock::time_point sent;     // when its request came through
  clock::time_point answered; // and when its answer
};

struct refused_push {
  clock::time_point answered;
  std::string error; // its name
};

/// What became of the pushes to a shard since the mark.
struct shard_pushes {
  std::string primary; // the node that had acknowledged last, at the mark
  std::vector<answered_push> acknowledged;
  std::vector<refused_push> refused{};
  std::string backup{}; // the node that had its other copy then, or none
};

class push_watch {
public:
  /// For a connection to `target`. The watch outlives it.
  connection_listener listen(const std::string& target);

  /// Forgets what was before now. `backups`: of the shards, by their number.
  void mark(const std::map<std::uint32_t, std::string>& backups = {});
  /// By shard; of shards that have acknowledged something at any time.
  std::map<std::uint32_t, shard_pushes> since_mark() const;

private:
  struct open_push {
    std::uint32_t shard = 0;
    clock::time_point sent;
  };
  /// Of a request: its number is its sender's.
  using request = std::pair<mesh::node_uuid, std::uint64_t>;

  void see_request(mesh::node_uuid& dialer, const mesh::frame_ptr& f);
  void see_answer(const mesh::node_uuid& dialer, const std::string& from, const mesh::frame_ptr& f);

  mutable std::mutex mutex_;
  std::map<request, open_push> open_;
  std::map<std::uint32_t, std::string> primaries_; // who acknowledged last
  std::map<std::uint32_t, shard_pushes> shards_;
};

} // namespace gradmesh::tools::chaos
