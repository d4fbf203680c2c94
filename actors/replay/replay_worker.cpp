#include "actors/replay/replay_worker.hpp"

#include "actors/data_server/batch_message.hpp"
#include "actors/worker/leased_step.hpp"

#include <fmt/format.h>

namespace gradmesh::replay {

result<replay_worker> replay_worker::make(replay_job& job, pushed_batches batches) {
  auto computer = worker::step_computer::make(job.plan);
  if (!computer) return computer.failure();
  return replay_worker(job, std::move(*computer), std::move(batches));
}

result<worker::step_work*> replay_worker::step_of(std::uint64_t sequence) {
  auto& open = open_[sequence];
  if (open) return &open->work;
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
  auto& work = open->work;
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
    if (auto computed = computer_->compute(open->second->work); !computed) return computed;
    computed_before_ = next->first + 1;
  }
  return {};
}

bool replay_worker::add_pushed(std::uint64_t sequence) {
  const auto open = open_.find(sequence);
  if (++open->second->pushed < open->second->parts) return false;
  open_.erase(open);
  return true;
}

} // namespace gradmesh::replay
