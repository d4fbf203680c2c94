#include "actors/env/network/send_queue.hpp"

#include <algorithm>

namespace gradmesh::env {
namespace {

constexpr std::size_t batch_frames_max = 256;
constexpr std::size_t batch_bytes_max = 1u << 20;

} // namespace

send_queue::send_queue(std::size_t bytes_max, std::atomic<std::uint64_t>& total_bytes)
    : bytes_max_(bytes_max), total_bytes_(total_bytes) {}

send_queue::~send_queue() {
  forget(bytes_);
}

send_queue::pushed send_queue::push(mesh::frame_ptr f) {
  const auto size = f->wire_bytes();
  const auto limit = bytes_max_ + (size <= small_frame_bytes ? reserve_bytes : 0);
  const std::lock_guard lock(mutex_);
  if (closed_) return pushed::closed;
  if (bytes_ > 0 && bytes_ + size > limit) return pushed::full;
  frames_[f->header.priority].push_back(std::move(f));
  bytes_ += size;
  total_bytes_.fetch_add(size, std::memory_order_relaxed);
  return wake();
}

send_queue::pushed send_queue::push_link_frame(mesh::frame_ptr f) {
  const auto size = f->wire_bytes();
  const std::lock_guard lock(mutex_);
  if (closed_) return pushed::closed;
  link_frames_.push_back(std::move(f));
  bytes_ += size;
  total_bytes_.fetch_add(size, std::memory_order_relaxed);
  return wake();
}

send_queue::pushed send_queue::wake() {
  return std::exchange(writer_sleeps_, false) ? pushed::wake_writer : pushed::queued;
}

std::vector<mesh::frame_ptr> send_queue::take() {
  std::vector<mesh::frame_ptr> batch;
  std::size_t batch_bytes = 0;
  const auto move_first = [&](std::deque<mesh::frame_ptr>& from) {
    batch_bytes += from.front()->wire_bytes();
    batch.push_back(std::move(from.front()));
    from.pop_front();
  };
  const std::lock_guard lock(mutex_);
  while (!link_frames_.empty())
    move_first(link_frames_);
  for (auto& level : frames_) {
    while (!level.empty() && batch.size() < batch_frames_max && batch_bytes < batch_bytes_max &&
           may_send(level.front()->wire_bytes())) {
      sent_bytes_ += level.front()->wire_bytes();
      move_first(level);
    }
    // What is more urgent is not overtaken because it is larger.
    if (!level.empty()) break;
  }
  writer_sleeps_ = batch.empty();
  return batch;
}

bool send_queue::may_send(std::size_t frame_bytes) const {
  const auto outstanding = sent_bytes_ - freed_bytes_;
  return outstanding == 0 || outstanding + frame_bytes <= window_bytes_;
}

send_queue::credited send_queue::credit(std::uint64_t freed_bytes, std::uint64_t window_bytes) {
  const std::lock_guard lock(mutex_);
  if (freed_bytes > sent_bytes_) return credited::impossible;
  freed_bytes_ = std::max(freed_bytes_, freed_bytes);
  window_bytes_ = window_bytes;
  const bool waiting =
      std::any_of(frames_.begin(), frames_.end(), [](const auto& level) { return !level.empty(); });
  if (!waiting || !writer_sleeps_) return credited::noted;
  writer_sleeps_ = false;
  return credited::wake_writer;
}

void send_queue::written(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  forget(bytes);
}

void send_queue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::size_t send_queue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void send_queue::forget(std::size_t bytes) {
  bytes_ -= bytes;
  total_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

} // namespace gradmesh::env
