#include "actors/replay/replay_worker.hpp"

#include "actors/data_server/batch_message.hpp"
#include "actors/worker/leased_step.hpp"
#include "actors/worker/own_writes.hpp"

#include <fmt/format.h>

namespace gradmesh::replay {
namespace {

/// A worker's steps that are not in what it reads: more than any pushes without waiting for its
/// acknowledgements.
constexpr std::size_t own_pushes_max = 16;

} // namespace

result<replay_worker> replay_worker::make(replay_job& job, pushed_batches batches) {
  auto computer = worker::step_computer::make(job.plan);
  if (!computer) return computer.failure();
  return replay_worker(job, std::move(*computer), std::move(batches));
}

result<worker::step_work*> replay_worker::step_of(std::uint64_t sequence) {
  auto& open = open_[sequence];
  if (open) return open->work.get();
  const auto& from = batches_.at(sequence);
  if (from.step >= job_->plan.steps ||
      std::uint64_t{from.first_piece} + from.pieces > job_->plan.pieces)
    return error{
        errc::malformed_data,
        fmt::format("the logs name pieces [{}, {}) of step {}, which the job does not have",
                    from.first_piece, from.first_piece + from.pieces, from.step)};
  const auto choice =
      job_->schedule.choose(from.step, from.first_piece, from.first_piece + from.pieces);
  auto draft = data_server::batch_message(choice, job_->train);
  const auto frame = std::make_shared<mesh::frame>(draft.build({}, {}, 0, mesh::lane::bulk));
  const auto message = mesh::message<schema::Batch>::decode(frame);
  if (!message) return message.failure();

  open = std::make_unique<open_step>();
  auto& work = *open->work;
  const worker::leased_step_tools tools{job_->plan, job_->slicer, *job_->planner};
  if (auto filled = worker::fill_step(*message, true, tools, work); !filled)
    return filled.failure();
  worker::make_room(job_->slicer, work);
  for (const auto& slice : work.slices)
    open->parts += slice.parts.size();
  return &work;
}

result<void> replay_worker::add_read(std::uint64_t sequence, std::size_t parts) {
  open_.at(sequence)->reads += parts;
  return compute_ready();
}

result<void> replay_worker::compute_ready() {
  for (auto next = batches_.lower_bound(computed_before_); next != batches_.end(); ++next) {
    const auto open = open_.find(next->first);
    if (open == open_.end() || open->second->reads < open->second->parts) break;
    if (auto computed = compute(open->second->work); !computed) return computed;
    computed_before_ = next->first + 1;
  }
  return {};
}

result<void> replay_worker::compute(const std::shared_ptr<worker::step_work>& work) {
  const auto first = worker::first_own_missing(*work);
  for (const auto& own : own_pushes_)
    if (own->step >= first && own->step < work->step) work->own_writes.push_back(own);
  if (work->own_writes.size() < work->step - first)
    return error{errc::malformed_data,
                 fmt::format("step {} read values without the worker's own steps from {} on, of "
                             "which {} were computed: the logs do not fit together",
                             work->step, first, work->own_writes.size())};
  if (auto computed = computer_->compute(*work); !computed) return computed;
  if (!job_->plan.by_rank()) return {};
  own_pushes_.push_back(work);
  if (own_pushes_.size() > own_pushes_max) own_pushes_.pop_front();
  return {};
}

bool replay_worker::add_pushed(std::uint64_t sequence) {
  const auto open = open_.find(sequence);
  if (++open->second->pushed < open->second->parts) return false;
  open_.erase(open);
  return true;
}

} // namespace gradmesh::replay
