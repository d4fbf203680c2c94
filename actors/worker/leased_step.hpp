#pragma once

/// What follows from a batch alone: the examples, what they touch, how much of a step their
/// gradient is. The same in a worker and where its work is done again (replay).

#include "actors/job/job_plan.hpp"
#include "actors/learning/model.hpp"
#include "actors/mesh/message.hpp"
#include "actors/parameters/slicer.hpp"
#include "actors/worker/plan_cache.hpp"
#include "actors/worker/step_work.hpp"

namespace gradmesh::worker {

struct leased_step_tools {
  const job::job_plan& plan;
  const parameters::slicer& slicer;
  const learning::model& model;      // for planning only
  plan_cache* evaluations = nullptr; // null: each is planned anew
};

/// Fills in what `step_work` has of a batch; for training, or for evaluation. Errors:
/// `malformed_message` for a batch that is not what it says.
result<void> fill_step(const mesh::message<schema::Batch>& batch, bool trains,
                       const leased_step_tools& tools, step_work& work);

/// Takes note of what a shard said of a part: as in schema::Pulled.
void note_own_missing(step_work& work, std::size_t shard, std::size_t part,
                      std::uint64_t own_missing);
/// Makes room for the parameters of a step that was filled in.
void make_room(const parameters::slicer& slicer, step_work& work);

/// Where the values of a part go.
void scatter(const parameters::slicer& slicer, const parameters::slice& of,
             const parameters::part& part, std::span<const float> values, step_work& work);

/// Gives each block of the dense space an entry in `versions`, without a version.
void list_blocks(step_work& work);
/// The version of a block of a slice whose values have come: the 64-bit XXH3 of their bytes. Two of
/// n values of a block share one with a chance below n^2 / 2^65.
learning::dense_version note_version(const parameters::slice& of, const parameters::part& block,
                                     std::span<const float> values, step_work& work);

} // namespace gradmesh::worker
