#include "actors/server_shard/replication.hpp"

#include "actors/defaults.hpp"

#include <algorithm>

namespace gradmesh::server_shard {
namespace {

/// What replicas send each other stays in its order, so it all has one priority.
constexpr std::uint8_t replication_priority = 1;

void set_part(schema::ReplicatedPart::Builder out, const requested_part& what, std::size_t keys) {
  auto part = out.initPart();
  if (what.dense) return part.setBlock(what.block);
  auto list = part.initKeys();
  list.setCount(keys);
  list.setSent(true);
}

/// Puts bodies of parts together.
class body_writer {
public:
  explicit body_writer(std::size_t bytes) : body_(mesh::allocate_body(bytes)) {}

  template <class T>
  void add(std::span<const T> values) {
    std::ranges::copy(values, body_.as<T>(at_, values.size()).begin());
    const auto end = at_ + values.size_bytes();
    at_ += padded(values.size_bytes());
    std::ranges::fill(body_.bytes.subspan(end, at_ - end), std::byte{0});
  }
  mesh::frame_body share() const { return body_.share(); }

private:
  mesh::writable_body body_;
  std::size_t at_ = 0;
};

} // namespace

// --- changes ------------------------------------------------------------------------------------

mesh::draft<schema::Replicate> replication::make_draft(std::size_t parts) const {
  mesh::draft<schema::Replicate> draft;
  draft->setJobId(ends_.job_id);
  draft->setShard(ends_.shard);
  draft->initParts(static_cast<unsigned>(parts));
  draft.priority = replication_priority;
  return draft;
}

void replication::add(mesh::draft<schema::Replicate> draft) {
  const bool on_its_way = !image_.empty();
  if (on_its_way && !rules_.keeps(rule::tail_follows)) return;
  draft->setNumber(++last_);
  draft->setLayout(layout_);
  const auto bytes = draft.body.bytes.size() + mesh::frame_header_bytes;
  waiting_bytes_ += bytes;
  waiting_.push_back({last_, std::move(draft), bytes});
}

void replication::pushed(const mesh::message<schema::Push>& push, std::uint32_t rank,
                         std::span<const applied_part> parts) {
  auto draft = make_draft(parts.size());
  draft->getChange().setPushes();
  auto out = draft->getParts();
  // Usually the push's own body is what the backup needs.
  bool as_it_came = parts.size() == (*push).getParts().size();
  std::size_t bytes = 0;
  for (unsigned i = 0; i < parts.size(); ++i) {
    const auto& part = *parts[i].part;
    const auto keys =
        part.what.dense ? std::span<const std::uint64_t>() : parameters_.keys_of(rank, part.what);
    set_part(out[i], part.what, keys.size());
    out[i].setRate(parts[i].rate);
    out[i].setNumber(part.number);
    out[i].setCount(part.count);
    out[i].setStep(part.step);
    out[i].setFirstPiece(part.first_piece);
    out[i].setPieces(part.pieces);
    as_it_came = as_it_came && !part.decoded.owner && (part.what.dense || part.what.has_keys);
    bytes += keys.size_bytes() + padded(part.values.size_bytes());
  }
  if (as_it_came) {
    draft.body = {push.frame(), push.body()};
  } else {
    body_writer body(bytes);
    for (const auto& applied : parts) {
      const auto& part = *applied.part;
      if (!part.what.dense) body.add(parameters_.keys_of(rank, part.what));
      body.add(part.values);
    }
    draft.body = body.share();
  }
  add(std::move(draft));
}

void replication::summed(std::uint32_t block, mesh::frame_body sum) {
  auto draft = make_draft(1);
  draft->setMore(true);
  draft->getParts()[0].initPart().setBlock(block);
  draft.body = std::move(sum);
  of_step_.push_back(std::move(draft));
}

void replication::summed(std::span<const std::uint64_t> keys, std::span<const float> rows) {
  auto draft = make_draft(1);
  draft->setMore(true);
  set_part(draft->getParts()[0], {}, keys.size());
  body_writer body(keys.size_bytes() + padded(rows.size_bytes()));
  body.add(keys);
  body.add(rows);
  draft.body = body.share();
  of_step_.push_back(std::move(draft));
}

void replication::applied(const applied_step& step) {
  if (of_step_.empty()) of_step_.push_back(make_draft(0));
  for (auto& draft : of_step_) {
    auto change = draft->getChange().initStep();
    change.setStep(step.step);
    auto ranks = change.initRanks(static_cast<unsigned>(step.ranks.size()));
    for (unsigned i = 0; i < ranks.size(); ++i)
      ranks.set(i, step.ranks[i]);
  }
  of_step_.back()->setMore(false);
  for (auto& draft : std::exchange(of_step_, {}))
    add(std::move(draft));
}

// --- the backup ---------------------------------------------------------------------------------

bool replication::has(std::uint64_t number) const {
  if (!gates_ || !rules_.keeps(rule::ack_after_backup)) return true;
  if (unreachable_ && !rules_.keeps(rule::wait_for_layout)) return true;
  return number <= acknowledged_;
}

void replication::begin_with(std::vector<mesh::frame_body> image) {
  image_ = std::move(image);
  chunks_sent_ = chunks_taken_ = 0;
  waiting_.clear();
  waiting_bytes_ = last_ = sent_ = acknowledged_ = 0;
  gates_ = synced_ = false;
}

void replication::change_layout(std::uint64_t number, const mesh::address& coordinator,
                                bool synced) {
  layout_ = number;
  ends_.coordinator = coordinator;
  synced_ = synced;
  unreachable_ = paused_ = false;
  for (auto& change : waiting_)
    change.draft->setLayout(number);
  if (rules_.keeps(rule::resend_on_layout)) rewind();
}

void replication::on_replicated(std::uint64_t next) {
  if (next > last_ + 1 || next == 0) return; // nobody can have that
  if (next - 1 > acknowledged_) silent_since_.reset();
  acknowledged_ = std::max(acknowledged_, next - 1);
  sent_ = std::max(sent_, acknowledged_);
  while (!waiting_.empty() && waiting_.front().number <= acknowledged_) {
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
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
  promised_ = last_;
  tell_synced();
}

void replication::step_is_applied() {
  if (std::exchange(waits_for_step_, false)) promised_ = last_;
}

void replication::rewind() {
  sent_ = acknowledged_;
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
  if (!gates_ || acknowledged_ == last_)
    silent_since_.reset();
  else if (!silent_since_)
    silent_since_ = now;
  else if (now - *silent_since_ > defaults::server_shard::backup_silence_max)
    report(false);
}

void replication::tell_synced() {
  if (!synced_ && gates_ && !waits_for_step_ && acknowledged_ >= promised_) report(true);
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

void replication::send_more() {
  if (paused_ || !send_image()) return;
  while (sent_ < last_) {
    const auto& next = waiting_[sent_ + 1 - waiting_.front().number];
    const auto number = next.number;
    const auto before = std::exchange(sent_, number);
    if (send(ends_.backup, next.draft)) continue;
    sent_ = before;
    return;
  }
}

} // namespace gradmesh::server_shard
