#pragma once

/// Reads on the wire what workers were allowed to see, and compares it with what they had been
/// promised. It shares no code with the shards: a push counts as applied (or held for its step) for
/// a shard when the shard has acknowledged all of its parts.

#include "tools/simulation/virtual_mesh.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::tools::lab {

/// A read: the first answer to a pull.
struct read_event {
  mesh::node_uuid shard;
  std::uint32_t rank = 0;
  std::uint64_t asked_clock = 0;
  std::uint64_t shard_clock = 0;
  std::uint64_t own_missing = 0; // as in schema::Pulled
  double held_seconds = 0;
};

class clock_watch {
public:
  explicit clock_watch(std::size_t workers) : workers_(workers) {}

  /// Whether a read kept the job's promise; what went wrong, else empty.
  using contract = std::function<std::string(const clock_watch&, const read_event&)>;
  void expect(contract c) { contract_ = std::move(c); }

  void see(const mesh::node_uuid& to, const mesh::frame_ptr& f);

  std::size_t workers() const { return workers_; }
  /// Whether a shard has all of a worker's push of a step.
  bool has(const mesh::node_uuid& shard, std::uint32_t rank, std::uint64_t step) const;
  /// Steps of a worker that a shard has, from the first without a gap.
  std::uint64_t completed(const mesh::node_uuid& shard, std::uint32_t rank) const;
  std::uint64_t slowest(const mesh::node_uuid& shard) const;

  std::uint64_t pushes() const { return pushes_; } // whole, over all shards
  const std::vector<read_event>& reads() const { return reads_; }
  std::uint64_t violations() const { return violations_; }
  const std::string& first_violation() const { return first_violation_; }
  /// Parts that were asked for or pushed, and answers to them, without repeated ones.
  std::uint64_t parts_asked() const { return parts_asked_; }
  std::uint64_t parts_answered() const { return parts_answered_; }
  std::uint64_t parts_answered_twice() const { return parts_answered_twice_; }

private:
  using request_name = std::pair<mesh::node_uuid, std::uint64_t>; // who asked, number
  struct pushed_part {
    std::uint64_t sequence = 0;
    std::uint32_t number = 0;
    std::uint32_t count = 0;
  };
  struct request {
    std::uint32_t rank = 0;
    std::uint64_t clock = 0;         // pull
    std::vector<pushed_part> pushed; // push
    std::set<std::uint32_t> answered;
    bool is_pull = false;
  };
  /// By shard and worker.
  struct progress {
    std::map<std::uint64_t, std::set<std::uint32_t>> parts; // of pushes that are not whole
    std::set<std::uint64_t> whole;
    std::uint64_t completed = 0;
  };

  void see_pull(const mesh::message<schema::Pull>& pull);
  void see_push(const mesh::message<schema::Push>& push);
  void see_pulled(const mesh::node_uuid& to, const mesh::message<schema::Pulled>& pulled);
  void see_pushed(const mesh::node_uuid& to, const mesh::message<schema::Pushed>& pushed);
  void answer(request& of, std::uint32_t part);

  const std::size_t workers_;
  contract contract_;
  std::map<request_name, request> requests_;
  std::map<std::pair<mesh::node_uuid, std::uint32_t>, progress> progress_;
  std::vector<read_event> reads_;
  std::uint64_t pushes_ = 0;
  std::uint64_t violations_ = 0;
  std::string first_violation_;
  std::uint64_t parts_asked_ = 0;
  std::uint64_t parts_answered_ = 0;
  std::uint64_t parts_answered_twice_ = 0;
};

/// What the strategies promise of every read (METHODS.md 4 and 6; job.strategy says it for users).
clock_watch::contract bsp_contract(std::size_t pushes_needed);
clock_watch::contract ssp_contract(std::uint64_t staleness);
clock_watch::contract delay_contract(std::uint64_t delay);

} // namespace gradmesh::tools::lab
