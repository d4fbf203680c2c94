#pragma once

/// Which examples make which batch. A pure function of (seed, set size, batch size, pieces): any
/// data server that knows these cuts the same batches. The rule is specified in schema/data.capnp.

#include <cstdint>
#include <vector>

namespace gradmesh::data_server {

struct schedule_options {
  std::uint64_t examples = 0; // in the set; at least 1
  std::uint32_t batch = 0;    // examples of a full step; at least 1
  std::uint32_t pieces = 0;   // of a step; at least 1
  std::uint64_t seed = 0;
  bool shuffle = true;
};

/// Some pieces of one step.
struct batch_choice {
  std::uint32_t epoch = 0;
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t step_examples = 0;
  std::vector<std::uint32_t> examples;   // their numbers in the set, in batch order
  std::vector<std::uint32_t> piece_ends; // end of each piece, counted in `examples`
};

class batch_schedule {
public:
  explicit batch_schedule(schedule_options options);

  std::uint64_t steps_per_epoch() const;

  /// The pieces [first, last) of a step (counted over all epochs).
  batch_choice choose(std::uint64_t step, std::uint32_t first_piece, std::uint32_t last_piece);

private:
  const std::vector<std::uint32_t>& order_of(std::uint32_t epoch);

  schedule_options options_;
  /// The orders of the two epochs asked for last: workers cross from one to the next at different
  /// times. Slot = epoch modulo 2.
  struct epoch_order {
    bool known = false;
    std::uint32_t epoch = 0;
    std::vector<std::uint32_t> order;
  };
  epoch_order orders_[2];
};

} // namespace gradmesh::data_server
