#include "actors/env/network/send_queue.hpp"

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
  const std::lock_guard lock(mutex_);
  if (closed_) return pushed::closed;
  if (bytes_ > 0 && bytes_ + size > bytes_max_) return pushed::full;
  frames_.push_back(std::move(f));
  bytes_ += size;
  total_bytes_.fetch_add(size, std::memory_order_relaxed);
  if (!writer_sleeps_) return pushed::queued;
  writer_sleeps_ = false;
  return pushed::wake_writer;
}

std::vector<mesh::frame_ptr> send_queue::take() {
  std::vector<mesh::frame_ptr> batch;
  std::size_t batch_bytes = 0;
  const std::lock_guard lock(mutex_);
  while (!frames_.empty() && batch.size() < batch_frames_max && batch_bytes < batch_bytes_max) {
    batch_bytes += frames_.front()->wire_bytes();
    batch.push_back(std::move(frames_.front()));
    frames_.pop_front();
  }
  writer_sleeps_ = batch.empty();
  return batch;
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
