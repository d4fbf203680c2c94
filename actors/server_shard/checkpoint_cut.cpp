#include "actors/server_shard/checkpoint_cut.hpp"

#include <algorithm>

namespace gradmesh::server_shard {
namespace {

/// Behind the pushes and pulls of training.
constexpr std::uint8_t chunk_priority = mesh::priority_max;

bool has_all(const job::piece_set& set, const job::piece_set& of) {
  return std::ranges::all_of(of.runs(), [&](const auto& run) {
    return set.contains({run.first, run.second});
  });
}

} // namespace

bool checkpoint_cut::hold(const ticket& asked, job::piece_set begun) {
  if (asked.number < ticket_.number) return false;
  if (asked.number == ticket_.number) {
    if (stage_ == stage::holding) ticket_.until = asked.until;
    return stage_ == stage::holding;
  }
  image_.clear();
  ticket_ = asked;
  stage_ = stage::holding;
  passing_ = std::move(begun);
  return true;
}

bool checkpoint_cut::cut(const ticket& asked, job::piece_set pieces) {
  if (asked.number != ticket_.number || stage_ == stage::none) return false;
  ticket_.until = asked.until;
  if (stage_ != stage::holding || !has_all(pieces, passing_)) return false;
  stage_ = stage::cutting;
  passing_ = std::move(pieces);
  return true;
}

void checkpoint_cut::drop(std::uint64_t number) {
  if (number != ticket_.number) return;
  stage_ = stage::none;
  passing_ = {};
  image_.clear();
}

bool checkpoint_cut::passes(const message<schema::Push>& push, std::uint64_t pieces_of_step) const {
  if (!keeps_waiting()) return true;
  for (const auto part : (*push).getParts()) {
    const auto first = part.getStep() * pieces_of_step + part.getFirstPiece();
    if (!passing_.contains({first, first + part.getPieces()})) return false;
  }
  return true;
}

bool checkpoint_cut::is_reached(const job::piece_set& done) const {
  return stage_ == stage::cutting && has_all(done, passing_);
}

void checkpoint_cut::freeze(std::vector<frozen_chunk> image) {
  stage_ = stage::sending;
  passing_ = {};
  image_ = std::move(image);
  sent_ = taken_ = 0;
}

void checkpoint_cut::on_taken(std::uint64_t number, std::uint64_t chunks, bool again) {
  if (number != ticket_.number || stage_ != stage::sending || chunks > image_.size()) return;
  for (; taken_ < chunks; ++taken_)
    image_[taken_] = {};
  sent_ = again ? taken_ : std::max(sent_, taken_);
}

void checkpoint_cut::send_more(mesh::router& router) {
  if (stage_ != stage::sending) return;
  while (sent_ < image_.size() && sent_ < taken_ + chunks_in_flight_max) {
    mesh::draft<schema::CheckpointChunk> chunk;
    chunk->setJobId(ticket_.job_id);
    chunk->setTicket(ticket_.number);
    chunk->setShard(ticket_.shard);
    chunk->setNumber(sent_);
    chunk->setLast(sent_ + 1 == image_.size());
    chunk.priority = chunk_priority;
    chunk.body = image_[sent_].make();
    // Counted before: on one node the answer may come inside the call.
    const auto before = sent_++;
    if (router.send(ticket_.coordinator, ticket_.self, chunk)) continue;
    // A coordinator that cannot be reached asks again, or the checkpoint ends by its time.
    sent_ = before;
    return;
  }
}

} // namespace gradmesh::server_shard
