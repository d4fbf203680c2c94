#pragma once

/// Draws the faults of a seed.

#include "actors/env/random.hpp"
#include "tools/sim/seed_plan.hpp"

#include <optional>
#include <vector>

namespace gradmesh::tools::sim {

/// One frame in so many comes twice, where requests are repeated.
inline constexpr std::uint64_t repeat_one_in = 4;

/// What may happen, and the chance that it is drawn by.
class fault_chance {
public:
  /// `kinds` outlives it.
  fault_chance(std::uint64_t seed, const std::vector<fault_kind>& kinds)
      : kinds_(kinds), random_(seed) {}

  bool may(fault_kind kind) const;
  /// Uniform, both ends included.
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + random_.below(most - least + 1);
  }
  std::chrono::milliseconds ms_between(std::uint64_t least, std::uint64_t most) {
    return std::chrono::milliseconds(between(least, most));
  }
  bool once_in(std::uint64_t times) { return random_.below(times) == 0; }
  env::random_stream& random() { return random_; }

  /// The kind of a node's death; none if none may die.
  std::optional<fault_kind> death();

private:
  const std::vector<fault_kind>& kinds_;
  env::random_stream random_;
};

/// Has requests repeated in some of the seeds, those that copy shards among them.
void repeat_copies(seed_plan& plan, fault_chance& chance);

/// A fault of the kind, of any of so many machines, at any moment of a short job.
fault draw_fault(fault_kind kind, std::size_t hosts, env::random_stream& chance);

} // namespace gradmesh::tools::sim
