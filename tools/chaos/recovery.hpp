#pragma once

/// When a mesh goes on after a fault, told from what its workers report. Plain code: time comes in.
///
/// A worker's report says how many steps it has done. With a shard, a data server or the
/// coordinator's word missing, a worker comes `steps_ahead` further at most, by what is prefetched
/// and on its way. So the mesh goes on when a report shows more steps than that beyond the first
/// report that was made after the fault. Both reports are a heartbeat apart at least: recovery
/// times are too long by up to two heartbeats, never too short.

#include "tools/chaos/push_watch.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::tools::chaos {

using time_point = std::chrono::steady_clock::time_point;

struct worker_report {
  std::string worker;
  std::uint64_t incarnation = 0;
  std::uint64_t steps = 0;
  time_point made; // at the worker
};

/// Steps that a worker does without an answer of anybody: two pushes on their way (the default of
/// worker.pushes_in_flight) and the step that is computed.
inline constexpr std::uint64_t steps_ahead = 3;

class recovery {
public:
  explicit recovery(time_point fault) : fault_(fault) {}

  void take(const std::vector<worker_report>& reports);
  /// When the report was made that shows it.
  std::optional<time_point> seen() const { return seen_; }

private:
  struct baseline {
    std::uint64_t incarnation = 0;
    std::uint64_t steps = 0;
  };
  time_point fault_;
  std::map<std::string, baseline> first_; // made after the fault
  std::optional<time_point> seen_;
};

/// Pushes that were refused for the same reason; times in seconds since the fault.
struct refusals {
  std::uint64_t count = 0;
  double first = 0;
  double last = 0;
};

/// What became of pushes after a fault, in the time that was watched. All times in seconds.
struct push_recovery {
  bool primary_hit = false;
  /// Until the first acknowledgement of a push that was sent after the fault: of the shards whose
  /// primary was hit, the one that took longest. Nothing if no primary was, or it was not seen.
  std::optional<double> first_push;
  /// Of the shards with other primaries, until then: the longest time without an acknowledgement of
  /// any of them, and the least acknowledgements in a second.
  std::optional<double> others_gap;
  std::optional<double> others_rate;
  /// Of the shards with no copy at all on the node that was hit: the least acknowledgements of any
  /// of them in a window. Windows follow each other from the fault on; the last has the first push
  /// in it, or ends when nobody watched any more.
  std::optional<std::uint64_t> apart_least;
  std::uint64_t acknowledged = 0;           // by all shards
  std::map<std::string, refusals> refused;  // by the name of the error
  std::uint64_t acknowledged_meanwhile = 0; // before the fault's end
  std::uint64_t refused_meanwhile = 0;
};
struct watched_fault {
  std::string node;
  time_point began;
  time_point ended;   // of one that does not end by itself: when the node was back
  time_point watched; // until then
};
push_recovery judge_pushes(const std::map<std::uint32_t, shard_pushes>& shards,
                           const watched_fault& fault);

inline constexpr std::chrono::milliseconds push_window{100};

} // namespace gradmesh::tools::chaos
