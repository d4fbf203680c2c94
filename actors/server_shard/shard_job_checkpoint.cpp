/// What a shard does for a checkpoint of its job, and how it begins with one.

#include "actors/server_shard/shard_job.hpp"

#include <string>

namespace gradmesh::server_shard {
namespace {

/// That wait while a checkpoint is made.
constexpr std::size_t parked_pushes_per_worker = 256;

} // namespace

result<void> shard_job::park(const message<schema::Push>& request) {
  if (cut_.parked() >= parked_pushes_per_worker * plan_.workers.size())
    return error{errc::retry_later,
                 std::to_string(cut_.parked()) + " pushes wait for a checkpoint already"};
  cut_.park(request);
  return {};
}

std::optional<job::piece_set> shard_job::hold_pushes(const checkpoint_cut::ticket& asked) {
  if (!cut_.hold(asked, strategy_->begun())) return std::nullopt;
  return cut_.pieces();
}

void shard_job::cut(const checkpoint_cut::ticket& asked, job::piece_set pieces) {
  if (!cut_.cut(asked, std::move(pieces))) return;
  // What came too early may be of the cut.
  take_parked();
  advance_cut();
}

bool shard_job::passes_cut(const message<schema::Push>& push) const {
  return !rules_.keeps(rule::pushes_held) || cut_.passes(push, plan_.pieces);
}

void shard_job::advance_cut() {
  if (!cut_.is_reached(rules_.keeps(rule::one_cut) ? strategy_->done() : cut_.pieces())) return;
  cut_.freeze(freeze_cut_image(parameters_.store(), strategy_->state()));
  take_parked();
  cut_.send_more(*router_);
}

void shard_job::take_parked() {
  for (const auto& push : cut_.take_parked()) {
    if (!passes_cut(push))
      cut_.park(push);
    else if (auto taken = take_push(push); !taken)
      (void)router_->reply(push, mesh::make_refusal(taken.failure()));
  }
}

void shard_job::end_cut(std::uint64_t ticket) {
  cut_.drop(ticket);
  take_parked();
}

void shard_job::on_chunks_taken(const message<schema::CheckpointTaken>& taken) {
  cut_.on_taken((*taken).getTicket(), (*taken).getChunks(), (*taken).getAgain());
  cut_.send_more(*router_);
}

void shard_job::tick() {
  if (cut_.is_due(now_)) cut_.drop();
  take_parked();
}

void shard_job::begin_with_cut(strategy_state state) {
  auto done = plan_.done;
  done.add({0, plan_.first_step * plan_.pieces});
  state.ledger = piece_ledger(std::move(done));
  // Where pushes are applied as they come the clock counts from the plan's first step on.
  state.clock = plan_.sums_steps() ? plan_.first_step : 0;
  strategy_->restore(std::move(state));
}

} // namespace gradmesh::server_shard
