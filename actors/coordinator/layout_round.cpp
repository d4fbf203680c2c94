#include "actors/coordinator/layout_round.hpp"

#include "actors/defaults.hpp"

#include <string>

namespace gradmesh::coordinator {

void layout_round::begin(const job::shard_layout& layout, std::uint64_t job_id,
                         const std::vector<job::place>& others, env::time_point now) {
  layout_ = layout;
  job_id_ = job_id;
  hosts_open_.clear();
  others_open_.clear();
  progress_.clear();
  asked_.clear();
  for (const auto& host : layout.hosts())
    hosts_open_.insert(host.where);
  for (const auto& other : others)
    others_open_.insert(other.where);
  send(now);
}

void layout_round::send(env::time_point now) {
  sent_at_ = now;
  mesh::draft<schema::Layout> draft;
  job::encode(layout_, job_id_, *draft);
  // A link that is down now comes up again, or its node is given up.
  for (const auto& host : hosts_open_)
    if (const auto sent = router_.send(host, self_, draft)) asked_.insert(sent->message_id);
  for (const auto& other : others_open_)
    (void)router_.send(other, self_, draft);
}

void layout_round::on_tick(env::time_point now) {
  const bool open = !hosts_open_.empty() || !others_open_.empty();
  if (open && now - sent_at_ >= defaults::coordinator::update_interval) send(now);
}

void layout_round::forget(const mesh::node_uuid& node) {
  std::erase_if(hosts_open_, [&](const mesh::address& a) { return a.node == node; });
  std::erase_if(others_open_, [&](const mesh::address& a) { return a.node == node; });
}

result<void> layout_round::on_taken(const mesh::message<schema::LayoutTaken>& taken) {
  const auto in = *taken;
  if (in.getNumber() != layout_.number || in.getJobId() != job_id_) return {};
  for (const auto entry : in.getProgress()) {
    const auto shard = entry.getShard();
    if (shard >= layout_.size() || layout_.primary(shard).where != taken.sender())
      return error{errc::malformed_message, "node " + mesh::short_name(taken.sender().node) +
                                                " tells the progress of shard " +
                                                std::to_string(shard) + ", which is not its own"};
    auto done = job::decode(entry.getDone());
    if (!done) return done.failure();
    progress_[shard] = {entry.getClock(), *std::move(done)};
  }
  for (std::uint32_t shard = 0; shard < layout_.size(); ++shard)
    if (layout_.primary(shard).where == taken.sender() && !progress_.contains(shard))
      return error{errc::malformed_message, "'" + layout_.primary(shard).name +
                                                "' does not say how far shard " +
                                                std::to_string(shard) + " is"};
  hosts_open_.erase(taken.sender());
  others_open_.erase(taken.sender());
  return {};
}

} // namespace gradmesh::coordinator
