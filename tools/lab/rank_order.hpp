#pragma once

/// Whether a step's dense parameters are, to the bit, what the sum of its pushes in rank order
/// makes of those before: for one server, three workers and plain SGD. Reads pushes and pulls on
/// the wire and does the arithmetic of METHODS 0 and 4 itself.

#include "tools/simulation/tapped_network.hpp"

#include "actors/mesh/message.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace gradmesh::tools::lab {

class rank_order_watch {
public:
  static constexpr std::uint32_t workers = 3;

  /// `floats`: of the one dense block.
  rank_order_watch(std::size_t floats, float learning_rate)
      : floats_(floats), learning_rate_(learning_rate) {}

  void see(const mesh::node_uuid& to, const mesh::frame_ptr& f);
  std::uint64_t steps() const { return steps_; } // compared
  std::uint64_t different() const { return different_; }

private:
  using values = std::vector<float>;

  void compare(std::uint64_t step);

  const std::size_t floats_;
  const float learning_rate_;
  std::map<std::uint64_t, std::map<std::uint32_t, values>> gradients_; // by step and rank
  std::map<std::uint64_t, values> parameters_;                         // by clock
  std::set<std::pair<mesh::node_uuid, std::uint64_t>> pulls_;          // of the block, in front
  std::uint64_t steps_ = 0;
  std::uint64_t different_ = 0;
};

} // namespace gradmesh::tools::lab
