#include "actors/env/network/shared_memory/frame_sender.hpp"

#include <algorithm>
#include <cstring>

namespace gradmesh::env::shm {
namespace {

/// A longer record would hold up the reader, which sees it only when it is complete.
constexpr std::size_t record_bytes_max = 32u << 10;
/// From here on a body costs less in the area than twice through the ring.
constexpr std::size_t inline_body_bytes_max = 16u << 10;
/// Of a body that does not fit as a whole; the reader copies one piece while we copy the next.
constexpr std::size_t piece_bytes_max = 1u << 20;
/// Small records become visible together.
constexpr std::size_t publish_bytes = 16u << 10;
/// Other connections of the loop get a turn between two such portions.
constexpr std::size_t turn_bytes = 1u << 20;

std::span<const std::byte> move_from(std::span<const std::byte>& from, std::size_t bytes_max) {
  const auto part = from.first(std::min(from.size(), bytes_max));
  from = from.subspan(part.size());
  return part;
}

} // namespace

frame_sender::frame_sender(direction way, const sizes& s, doorbell& bell)
    : ring_(way), area_(way.area), pages_(way.released), bell_(bell),
      inline_bytes_max_(std::min<std::size_t>(record_bytes_max, s.ring_bytes / 4) - sizeof(record)),
      whole_bytes_max_(s.area_bytes / 4) {}

void frame_sender::start(std::vector<mesh::frame_ptr> frames) {
  frames_ = std::move(frames);
  current_ = 0;
  if (frames_.empty()) return;
  pages_.collect();
  begin_frame();
}

result<frame_sender::progress> frame_sender::advance() {
  progress made;
  std::size_t copied = 0;
  while (current_ < frames_.size()) {
    if (copied >= turn_bytes) {
      publish();
      made.now = state::more;
      return made;
    }
    const auto& f = *frames_[current_];
    const auto body_before = body_left_.size();
    const auto put = put_record(f);
    if (!put) return put.failure();
    if (!*put) {
      publish();
      made.now = state::blocked;
      return made;
    }
    made.any = true;
    copied += body_before - body_left_.size();
    if (header_left_.empty() && metadata_left_.empty() && body_left_.empty()) {
      frames_[current_].reset();
      if (++current_ < frames_.size()) begin_frame();
    }
  }
  publish();
  return made;
}

void frame_sender::begin_frame() {
  const auto& f = *frames_[current_];
  header_ = mesh::encode_header(f);
  header_left_ = header_;
  metadata_left_ = std::as_bytes(std::span(f.metadata));
  body_left_ = f.body.bytes;
}

result<bool> frame_sender::put_record(const mesh::frame& f) {
  auto room = inline_bytes_max_;
  const auto header = header_left_;
  room -= header.size();
  auto metadata_after = metadata_left_;
  const auto metadata = move_from(metadata_after, room);
  room -= metadata.size();
  auto body_after = body_left_;
  std::span<const std::byte> inline_body;
  if (f.body.bytes.size() <= std::min(room, inline_body_bytes_max) && metadata_after.empty())
    inline_body = move_from(body_after, room);

  record r{};
  r.inline_bytes = static_cast<std::uint32_t>(header.size() + metadata.size() + inline_body.size());
  const auto fits = ring_.has_room(record_bytes(r.inline_bytes));
  if (!fits || !*fits) return fits;
  if (metadata_after.empty() && !body_after.empty()) {
    const auto run = pages_for_body();
    if (run.count == 0) return false;
    pages_.take(run);
    const auto part = move_from(body_after, run.count * page_bytes);
    std::memcpy(area_.data() + run.first * page_bytes, part.data(), part.size());
    r.first_page = static_cast<std::uint32_t>(run.first);
    r.area_bytes = part.size();
  }
  ring_.put(std::as_bytes(std::span(&r, 1)));
  ring_.put(header);
  ring_.put(metadata);
  ring_.put(inline_body);
  ring_.pad();
  header_left_ = {};
  metadata_left_ = metadata_after;
  body_left_ = body_after;
  if (r.area_bytes > 0 || ring_.unpublished() >= publish_bytes) publish();
  return true;
}

page_run frame_sender::pages_for_body() {
  const auto& whole = frames_[current_]->body.bytes;
  const bool in_one = body_left_.size() == whole.size() && whole.size() <= whole_bytes_max_;
  const auto bytes =
      in_one ? whole.size() : std::min({body_left_.size(), piece_bytes_max, whole_bytes_max_});
  const auto wanted = pages_of(bytes);
  auto run = pages_.find(wanted);
  if (run.count >= wanted) return run;
  pages_.collect();
  run = pages_.find(wanted);
  // What is still to be read will be released; only when everything has been read is the rest of
  // the area with somebody who keeps it, and a smaller piece better than to wait.
  if (run.count < wanted && !ring_.drained()) return {};
  return run;
}

void frame_sender::publish() {
  if (ring_.unpublished() == 0) return;
  ring_.publish();
  bell_.ring(wants_records);
}

void frame_sender::close() {
  ring_.close();
  bell_.ring(wants_records);
}

} // namespace gradmesh::env::shm
