#include "actors/env/network/shared_memory/frame_receiver.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gradmesh::env::shm {
namespace {

error malformed(std::string what) {
  return {errc::malformed_message, std::move(what)};
}

} // namespace

frame_receiver::frame_receiver(direction way, std::shared_ptr<doorbell> bell)
    : ring_(way), pages_(std::make_shared<lent_pages>(way, bell)), bell_(std::move(bell)),
      publish_bytes_(way.ring.size() / 4) {}

result<frame_receiver::step> frame_receiver::next() {
  const auto r = ring_.next();
  if (!r) return r.failure();
  if (!*r) return step{};
  const auto taken = take(**r);
  if (!taken) return taken.failure();
  ring_.skip();
  if (ring_.unpublished() >= publish_bytes_) publish();

  step made;
  made.bytes = (*r)->inline_bytes + (*r)->area_bytes;
  if (checked_ && body_left_ == 0) {
    if (body_.owner) current_->body = std::exchange(body_, {}).share();
    made.complete = std::exchange(current_, nullptr);
  }
  return made;
}

void frame_receiver::publish() {
  if (ring_.unpublished() == 0) return;
  ring_.publish();
  bell_->ring(wants_room);
}

result<void> frame_receiver::take(const record& r) {
  std::size_t left = r.inline_bytes;
  if (left == 0 && r.area_bytes == 0) return malformed("a record without any byte");
  if (!current_) {
    if (left < header_.size())
      return malformed("a record of " + std::to_string(left) +
                       " bytes where a frame with its header of 96 bytes should begin");
    ring_.take(header_);
    left -= header_.size();
    if (auto begun = begin_frame(); !begun) return begun;
  }
  const auto metadata = metadata_left_.first(std::min(left, metadata_left_.size()));
  ring_.take(metadata);
  metadata_left_ = metadata_left_.subspan(metadata.size());
  left -= metadata.size();
  if (!checked_ && metadata_left_.empty()) {
    if (!mesh::checksum_matches(header_, current_->metadata))
      return malformed("frame of kind " + std::to_string(current_->header.kind) + " with " +
                       std::to_string(current_->header.metadata_bytes) +
                       " bytes of metadata has a wrong checksum");
    checked_ = true;
  }
  return take_body(r, left);
}

result<void> frame_receiver::begin_frame() {
  const auto decoded = mesh::decode_header(header_);
  if (!decoded) return decoded.failure();
  auto f = std::make_shared<mesh::frame>();
  f->header = decoded->header;
  f->metadata.resize(f->header.metadata_bytes / sizeof(std::uint64_t));
  metadata_left_ = std::as_writable_bytes(std::span(f->metadata));
  body_left_ = f->header.body_bytes;
  checked_ = false;
  current_ = std::move(f);
  return {};
}

result<void> frame_receiver::take_body(const record& r, std::size_t inline_bytes) {
  if (inline_bytes > body_left_ || r.area_bytes > body_left_ - inline_bytes)
    return malformed("a record with " + std::to_string(inline_bytes) + " and " +
                     std::to_string(r.area_bytes) + " bytes of a body of which " +
                     std::to_string(body_left_) + " are missing");
  if (r.area_bytes > 0 && !checked_) return malformed("a record with a body before the metadata");
  if (inline_bytes > 0) ring_.take(body_room(inline_bytes));
  return r.area_bytes > 0 ? take_pages(r) : result<void>();
}

result<void> frame_receiver::take_pages(const record& r) {
  const auto run = pages_->hold(r.first_page, r.area_bytes);
  if (!run) return run.failure();
  if (r.area_bytes == current_->header.body_bytes && pages_->may_lend(*run)) {
    current_->body = pages_->lend(*run, r.area_bytes);
    body_left_ = 0;
    return {};
  }
  const auto room = body_room(r.area_bytes);
  std::memcpy(room.data(), pages_->bytes(*run, r.area_bytes).data(), room.size());
  pages_->release(*run);
  return {};
}

std::span<std::byte> frame_receiver::body_room(std::size_t bytes) {
  const auto whole = current_->header.body_bytes;
  if (!body_.owner) body_ = mesh::allocate_body(whole);
  const auto room = body_.bytes.subspan(whole - body_left_, bytes);
  body_left_ -= bytes;
  return room;
}

} // namespace gradmesh::env::shm
