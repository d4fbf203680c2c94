#include "actors/server_shard/replication.hpp"

#include "actors/defaults.hpp"

#include <algorithm>

namespace gradmesh::server_shard {

// --- changes ------------------------------------------------------------------------------------

bool replication::follows() const {
  return image_.empty() || rules_.keeps(rule::tail_follows);
}

void replication::pushed(const mesh::message<schema::Push>& push, std::uint32_t rank,
                         std::span<const applied_part> parts) {
  if (!follows()) return;
  std::vector<applied_part> alone;
  for (const auto& applied : parts) {
    const auto& part = *applied.part;
    if (part.what.dense && changes_.joins(part.what.block))
      changes_.join(part.what.block, name_of(part));
    else
      alone.push_back(applied);
  }
  if (!alone.empty()) changes_.add(make_pushes(push, rank, alone, parameters_));
}

void replication::summed(std::uint32_t block, mesh::frame_body sum) {
  of_step_.push_back(make_sum(block, std::move(sum)));
}

void replication::summed(std::span<const std::uint64_t> keys, std::span<const float> rows) {
  of_step_.push_back(make_sum(keys, rows));
}

void replication::applied(const applied_step& step) {
  if (of_step_.empty()) of_step_.push_back(make_empty_sum());
  auto drafts = std::exchange(of_step_, {});
  if (!follows()) return;
  for (auto& draft : drafts) {
    set_step(draft, step, &draft == &drafts.back());
    changes_.add(std::move(draft));
  }
}

// --- the backup ---------------------------------------------------------------------------------

bool replication::has(std::uint64_t number) const {
  if (!gates_ || !rules_.keeps(rule::ack_after_backup)) return true;
  if (unreachable_ && !rules_.keeps(rule::wait_for_layout)) return true;
  return number <= changes_.acknowledged();
}

void replication::begin_with(std::vector<mesh::frame_body> image) {
  image_ = std::move(image);
  chunks_sent_ = chunks_taken_ = 0;
  changes_.clear();
  sent_ = sent_once_ = 0;
  gates_ = synced_ = false;
}

void replication::change_layout(std::uint64_t number, const mesh::address& coordinator,
                                bool synced) {
  layout_ = number;
  ends_.coordinator = coordinator;
  synced_ = synced;
  unreachable_ = paused_ = false;
  if (rules_.keeps(rule::resend_on_layout)) rewind();
}

void replication::on_replicated(std::uint64_t next) {
  if (next > sent_once_ + 1 || next == 0) return; // nobody can have that
  if (next - 1 > changes_.acknowledged()) silent_since_.reset();
  changes_.acknowledge(next - 1);
  sent_ = std::max(sent_, changes_.acknowledged());
  tell_synced();
}

void replication::on_snapshot_taken(std::uint64_t chunks) {
  if (chunks > image_.size()) return;
  chunks_sent_ = std::max(chunks_sent_, chunks);
  for (; chunks_taken_ < chunks; ++chunks_taken_)
    image_[chunks_taken_] = {};
  if (image_.empty() || chunks_taken_ < image_.size()) return;
  image_.clear();
  chunks_sent_ = chunks_taken_ = 0;
  // From here on the coordinator may come to know of the backup at any moment. What was
  // acknowledged up to now has to be there before it does.
  gates_ = true;
  promised_ = last();
  tell_synced();
}

void replication::step_is_applied() {
  if (std::exchange(waits_for_step_, false)) promised_ = last();
}

void replication::rewind() {
  sent_ = changes_.acknowledged();
  chunks_sent_ = chunks_taken_;
}

void replication::resume() {
  if (!std::exchange(paused_, false)) return;
  rewind();
  send_more();
}

void replication::tick(env::time_point now) {
  tell_synced();
  send_more();
  // Whoever waits for an acknowledgement waits for this backup, though the coordinator may not miss
  // it at all: it is the link between the two that is gone.
  if (!gates_ || changes_.acknowledged() == last())
    silent_since_.reset();
  else if (!silent_since_)
    silent_since_ = now;
  else if (now - *silent_since_ > defaults::server_shard::backup_silence_max)
    report(false);
}

void replication::tell_synced() {
  if (!synced_ && gates_ && !waits_for_step_ && changes_.acknowledged() >= promised_) report(true);
}

void replication::report(bool synced) {
  mesh::draft<schema::BackupReport> report;
  report->setJobId(ends_.job_id);
  report->setShard(ends_.shard);
  report->setPairing(ends_.pairing);
  report->setSynced(synced);
  (void)router_->send(ends_.coordinator, ends_.self, report);
}

// --- sending ------------------------------------------------------------------------------------

template <class T>
bool replication::send(const mesh::address& to, const mesh::draft<T>& draft) {
  const auto sent = router_->send(to, ends_.self, draft);
  // A backup that is gone is the coordinator's business; a queue that is full becomes empty.
  unreachable_ = !sent && sent.failure().code != errc::retry_later;
  return static_cast<bool>(sent);
}

bool replication::send_image() {
  while (chunks_sent_ < image_.size()) {
    if (chunks_sent_ >= chunks_taken_ + chunks_in_flight_max) return false;
    mesh::draft<schema::SnapshotChunk> chunk;
    chunk->setJobId(ends_.job_id);
    chunk->setShard(ends_.shard);
    chunk->setLayout(layout_);
    chunk->setNumber(chunks_sent_);
    chunk->setLast(chunks_sent_ + 1 == image_.size());
    chunk.priority = replication_priority;
    chunk.body = image_[chunks_sent_];
    // Counted before: on one node the answer comes inside the call.
    ++chunks_sent_;
    if (send(ends_.backup, chunk)) continue;
    --chunks_sent_;
    return false;
  }
  return true;
}

void replication::begin_turn() {
  if (next_turn_at * (sent_ - changes_.acknowledged()) > turn_changes_) return;
  turn_last_ = last();
  turn_changes_ = last() - changes_.acknowledged();
}

void replication::send_more() {
  if (paused_ || !send_image()) return;
  begin_turn();
  while (sent_ < last()) {
    const auto number = sent_ + 1;
    if (changes_.is_open(number) && number > turn_last_) return;
    auto& change = changes_.take(number);
    change->setJobId(ends_.job_id);
    change->setShard(ends_.shard);
    change->setLayout(layout_);
    change->setNumber(number);
    const auto before = std::exchange(sent_, number);
    sent_once_ = std::max(sent_once_, number);
    if (send(ends_.backup, change)) continue;
    sent_ = before;
    return;
  }
}

} // namespace gradmesh::server_shard
