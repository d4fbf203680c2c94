#include "actors/worker/leased_step.hpp"

#include "actors/job/batch_body.hpp"

#include <xxhash.h>

#include <algorithm>
#include <string>

namespace gradmesh::worker {
namespace {

/// A push's part of the mean over its step: more than its part of the examples where a step does
/// without some of the pushes.
float pushed_share(const job::job_plan& plan) {
  const auto workers = static_cast<float>(plan.workers.size());
  return workers / (workers - static_cast<float>(plan.backup_workers()));
}

} // namespace

result<void> fill_step(const mesh::message<schema::Batch>& batch, bool trains,
                       const leased_step_tools& tools, step_work& work) {
  auto examples = job::view_batch(batch, tools.plan.shape);
  if (!examples) return examples.failure();
  const auto in = *batch;
  work.batch = batch;
  work.examples = *examples;
  work.piece_ends.clear();
  for (const auto end : in.getPieceEnds())
    work.piece_ends.push_back(end);
  if (work.piece_ends.empty() || work.piece_ends.back() != examples->size() ||
      !std::is_sorted(work.piece_ends.begin(), work.piece_ends.end()))
    return error{errc::malformed_message, "a batch of " + std::to_string(examples->size()) +
                                              " examples is not cut into pieces"};
  work.epoch = in.getEpoch();
  work.step = in.getStep();
  work.first_piece = in.getFirstPiece();
  // Where the shard adds the workers' parts of a step, each is a part of the step's mean; otherwise
  // each push is a mean of its own.
  const auto divisor =
      tools.plan.sums_steps() ? in.getStepExamples() : std::max<std::uint32_t>(1, in.getExamples());
  if (divisor == 0 || divisor < in.getExamples())
    return error{errc::malformed_message, "a step of " + std::to_string(divisor) +
                                              " examples has a batch of " +
                                              std::to_string(in.getExamples())};
  work.takes_snapshot = trains && tools.plan.takes_snapshot(work.step);
  if (!trains)
    work.scale = 0;
  else if (work.takes_snapshot) // a part of the mean over the set
    work.scale = 1 / static_cast<float>(tools.plan.examples);
  else
    work.scale = pushed_share(tools.plan) / static_cast<float>(divisor);
  if (tools.evaluations && !trains) {
    const auto& known = tools.evaluations->find(work.examples, tools.model, tools.slicer);
    work.plan = known.plan;
    work.slices = known.slices;
    return {};
  }
  work.plan = tools.model.plan(work.examples);
  work.slices = tools.slicer.cut(work.plan.keys);
  return {};
}

void make_room(const parameters::slicer& slicer, step_work& work) {
  work.dense.resize(slicer.map().dense_size());
  const auto& widths = slicer.layout().row_widths();
  work.rows.resize(widths.size());
  for (std::size_t t = 0; t < widths.size(); ++t)
    work.rows[t].resize(work.plan.keys.size() * widths[t]);
  work.own_missing.resize(work.slices.size());
  work.own_steps.resize(work.slices.size());
  for (std::size_t shard = 0; shard < work.slices.size(); ++shard) {
    work.own_missing[shard].assign(work.slices[shard].parts.size(), work.step);
    work.own_steps[shard].assign(work.slices[shard].parts.size(), work.step);
  }
}

void note_own_missing(step_work& work, std::size_t shard, std::size_t part,
                      std::uint64_t own_missing) {
  const auto first = own_missing == 0 ? work.step : std::min(work.step, own_missing - 1);
  work.own_missing[shard][part] = first;
  work.own_steps[shard][part] = first;
}

void scatter(const parameters::slicer& slicer, const parameters::slice& of,
             const parameters::part& part, std::span<const float> values, step_work& work) {
  learning::gradient_view to{work.dense, {}};
  for (auto& rows : work.rows)
    to.sparse.emplace_back(rows);
  slicer.scatter(of, part, values, to);
}

void list_blocks(step_work& work) {
  work.versions.clear();
  for (const auto& slice : work.slices)
    for (const auto& part : slice.parts)
      if (part.dense)
        work.versions.push_back(
            {slice.dense_first + part.elements.first, slice.dense_first + part.elements.last, 0});
  std::ranges::sort(work.versions, {}, &learning::dense_version::first);
}

learning::dense_version note_version(const parameters::slice& of, const parameters::part& block,
                                     std::span<const float> values, step_work& work) {
  auto& known = *std::ranges::lower_bound(work.versions, of.dense_first + block.elements.first, {},
                                          &learning::dense_version::first);
  // 0 is for what has none.
  known.version = std::max<std::uint64_t>(1, XXH3_64bits(values.data(), values.size_bytes()));
  return known;
}

} // namespace gradmesh::worker
