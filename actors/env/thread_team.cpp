#include "actors/env/thread_team.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace gradmesh::env {
namespace {

/// How long a thread looks for work or for the others before it sleeps: a little above what lies
/// between two passes over the same batch, far below a scheduler's time slice.
constexpr std::chrono::microseconds spin_time{30};
/// Looks between two looks at the clock.
constexpr unsigned looks_per_glance = 64;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

/// Returns when `place` is no longer `old`. Spins, then sleeps.
std::uint32_t await_change(const std::atomic<std::uint32_t>& place, std::uint32_t old) {
  const auto give_up = std::chrono::steady_clock::now() + spin_time;
  do {
    for (unsigned look = 0; look < looks_per_glance; ++look) {
      if (const auto value = place.load(std::memory_order_acquire); value != old) return value;
      relax();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  auto value = old;
  while ((value = place.load(std::memory_order_acquire)) == old)
    place.wait(old, std::memory_order_acquire);
  return value;
}

class real_team final : public thread_team {
public:
  explicit real_team(unsigned size) : size_(size) {}

  ~real_team() override {
    part_ = nullptr;
    begin_round();
    for (auto& helper : helpers_)
      helper.join();
  }

  /// Throws as std::thread does.
  void start() {
    for (unsigned number = 1; number < size_; ++number)
      helpers_.emplace_back([this, number] { help(number); });
  }

  unsigned size() const override { return size_; }

  void run(const std::function<void(unsigned)>& part) override {
    part_ = &part;
    missing_.store(size_ - 1, std::memory_order_relaxed);
    begin_round();
    part(0);
    for (auto left = missing_.load(std::memory_order_acquire); left != 0;)
      left = await_change(missing_, left);
  }

private:
  void begin_round() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  void help(unsigned number) {
    for (std::uint32_t round = 0;;) {
      round = await_change(round_, round);
      if (!part_) return;
      (*part_)(number);
      if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) missing_.notify_one();
    }
  }

  const unsigned size_;
  std::vector<std::thread> helpers_;
  /// Of the present round; null: the last. Written before `round_` says so.
  const std::function<void(unsigned)>* part_ = nullptr;
  // Apart, so that who waits for the one is not woken by the other.
  alignas(64) std::atomic<std::uint32_t> round_{0};
  alignas(64) std::atomic<std::uint32_t> missing_{0};
};

class sequential_team final : public thread_team {
public:
  explicit sequential_team(unsigned size) : size_(size) {}
  unsigned size() const override { return size_; }
  void run(const std::function<void(unsigned)>& part) override {
    for (unsigned number = 0; number < size_; ++number)
      part(number);
  }

private:
  const unsigned size_;
};

} // namespace

result<std::unique_ptr<thread_team>> make_thread_team(unsigned size) {
  auto team = std::make_unique<real_team>(size);
  try {
    team->start();
  } catch (const std::system_error& e) {
    return error{errc::limit_exceeded, "cannot start " + std::to_string(size - 1) +
                                           " threads more: " + e.what() +
                                           "; lower job.threads or raise the limit (ulimit -u)"};
  }
  return std::unique_ptr<thread_team>(std::move(team));
}

result<std::unique_ptr<thread_team>> make_sequential_team(unsigned size) {
  return std::unique_ptr<thread_team>(std::make_unique<sequential_team>(size));
}

} // namespace gradmesh::env
