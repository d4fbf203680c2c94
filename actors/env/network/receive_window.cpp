#include "actors/env/network/receive_window.hpp"

namespace gradmesh::env {
namespace {

constexpr std::uint64_t never = UINT64_MAX;

} // namespace

class receive_window::claimed final : public mesh::receipt {
public:
  claimed(std::shared_ptr<receive_window> window, std::uint64_t frame_bytes)
      : window_(std::move(window)), frame_bytes_(frame_bytes) {}
  ~claimed() override { settle(); }

  void settle() override {
    if (!settled_.exchange(true, std::memory_order_relaxed)) window_->free(frame_bytes_);
  }

private:
  const std::shared_ptr<receive_window> window_;
  const std::uint64_t frame_bytes_;
  std::atomic<bool> settled_{false};
};

receive_window::receive_window(std::uint64_t bytes, std::function<void()> news)
    : bytes_(bytes), news_at_(never), news_(std::move(news)) {}

std::shared_ptr<mesh::receipt> receive_window::claim(std::uint64_t frame_bytes) {
  const auto outstanding = received_ - freed_.load(std::memory_order_relaxed);
  if (outstanding > 0 && outstanding + frame_bytes > bytes_) return nullptr;
  received_ += frame_bytes;
  return std::make_shared<claimed>(shared_from_this(), frame_bytes);
}

void receive_window::free(std::uint64_t frame_bytes) {
  const auto freed = freed_.fetch_add(frame_bytes) + frame_bytes;
  auto at = news_at_.load();
  if (freed < at || !news_at_.compare_exchange_strong(at, never)) return;
  const std::lock_guard lock(mutex_);
  if (news_) news_();
}

std::uint64_t receive_window::tell() {
  // Again, if the news passed while its mark was being set: nobody else would tell of it.
  for (;;) {
    const auto freed = freed_.load();
    news_at_ = freed + bytes_ / 4;
    if (freed_.load() < freed + bytes_ / 4) return freed;
  }
}

void receive_window::close() {
  const std::lock_guard lock(mutex_);
  news_ = nullptr;
}

} // namespace gradmesh::env
