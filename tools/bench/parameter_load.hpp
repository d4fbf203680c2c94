#pragma once

/// The actor behind `gradmesh bench push-pull`: a worker that computes nothing. It pushes to and
/// pulls from the shards of a job as fast as its window allows, with the code and the messages that
/// training uses.

#include "actors/actors.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/node/context.hpp"

#include <chrono>
#include <cstdint>
#include <future>
#include <vector>

namespace gradmesh::tools::bench {

/// Steps that a worker has room for; a job of loads has so many for each.
inline constexpr std::uint64_t load_steps = std::uint64_t{1} << 40;

enum class load_kind : std::uint8_t { push, pull };

/// One measurement.
struct load_order {
  load_kind what = load_kind::push;
  std::size_t window = 1; // requests without an answer
  /// 0: the dense table. Otherwise so many keys of the sparse one.
  std::size_t keys = 0;
  bool fresh_keys = false; // another list each time
  std::chrono::milliseconds duration{0};
};

struct load_result {
  std::uint64_t requests = 0;
  double seconds = 0;
  double p50_us = 0; // from sending a request to its last answer
  double p99_us = 0;
  /// Round trips on the control lane meanwhile, about a hundred a second.
  double control_p50_us = 0;
  double control_p99_us = 0;
};

/// INTERNAL to the program: from a thread that waits for the outcome.
struct prepare_load {
  job::job_plan plan;
  std::uint32_t rank = 0; // rank 0 sends the plan to the shards
  std::shared_ptr<std::promise<result<void>>> done;
};
struct run_load {
  load_order order;
  std::shared_ptr<std::promise<result<load_result>>> done;
};

using load_actor = caf::typed_actor<
    // Makes a job's parameters known, to the shards too; fulfils the promise when they are ready.
    caf::reacts_to<prepare_load>,
    // Measures; fulfils the promise at the end.
    caf::reacts_to<run_load>,
    // Answers of shards.
    caf::reacts_to<message<schema::PlanReady>>, caf::reacts_to<message<schema::Pulled>>,
    caf::reacts_to<message<schema::Pushed>>, caf::reacts_to<message<schema::Refusal>>,
    // INTERNAL: sends what was held up.
    caf::reacts_to<tick>>;

/// Hosted by the node's loop, as its workers are, and bound to `service`.
load_actor spawn_load(const node::context_ptr& context, mesh::service_id service);

} // namespace gradmesh::tools::bench

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::tools::bench::prepare_load)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::tools::bench::run_load)
