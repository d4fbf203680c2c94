#include "actors/env/thread_team.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace gradmesh::env {
namespace {

/// How long a thread looks for work or for the others before it sleeps: a little above what lies
/// between two passes over the same batch, far below a scheduler's time slice.
constexpr std::chrono::microseconds spin_time{30};
/// How long it does after it was roused: parameters that begin to come are there by then. No
/// longer, since they may not.
constexpr std::chrono::microseconds roused_spin_time{1000};
/// Looks between two looks at the clock.
constexpr unsigned looks_per_glance = 64;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

/// Returns when `place` is no longer `old`. Spins for `lookout`, then sleeps.
std::uint32_t await_change(const std::atomic<std::uint32_t>& place, std::uint32_t old,
                           std::chrono::microseconds lookout = spin_time) {
  const auto give_up = std::chrono::steady_clock::now() + lookout;
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

/// The pieces [first, last) that a thread of a team begins with.
struct piece_range {
  std::uint32_t first;
  std::uint32_t last;
};

piece_range share_of(std::uint32_t pieces, unsigned thread, unsigned threads) {
  const auto until = [&](std::uint64_t before) {
    return static_cast<std::uint32_t>(pieces * before / threads);
  };
  return {until(thread), until(thread + std::uint64_t{1})};
}

/// On a line of its own, so that who waits for the one is not disturbed by who changes another.
struct alignas(64) counter {
  std::atomic<std::uint32_t> value{0};
};

class real_team final : public thread_team {
public:
  explicit real_team(unsigned size) : size_(size) {}

  ~real_team() override {
    ending_.store(true, std::memory_order_relaxed);
    wake();
    for (auto& helper : helpers_)
      helper.join();
  }

  /// Throws as std::thread does.
  void start() {
    for (unsigned number = 1; number < size_; ++number)
      helpers_.emplace_back([this, number] { help(number); });
  }

  unsigned size() const override { return size_; }

  void rouse() override {
    if (!helpers_.empty()) wake();
  }

  void run(std::span<const stage> stages) override {
    prepare(stages);
    if (!helpers_.empty()) {
      gate_.value.store(open, std::memory_order_release);
      wake();
    }
    go_through(0);
    if (helpers_.empty()) return;
    auto inside = gate_.value.fetch_and(~open, std::memory_order_acq_rel) & ~open;
    while (inside != 0)
      inside = await_change(gate_.value, inside);
  }

private:
  /// The gate is open; the other bits count the helpers inside.
  static constexpr std::uint32_t open = 1u << 31;

  /// Nobody is inside.
  void prepare(std::span<const stage> stages) {
    stages_ = stages;
    const auto counters = stages.size() * (size_ + 1);
    if (counters_.size() < counters) counters_ = std::vector<counter>(counters);
    for (std::size_t s = 0; s < stages.size(); ++s) {
      done(s).store(0, std::memory_order_relaxed);
      for (unsigned thread = 0; thread < size_; ++thread)
        next(s, thread).store(share_of(stages[s].pieces, thread, size_).first,
                              std::memory_order_relaxed);
    }
  }

  /// Pieces of a stage that are done.
  std::atomic<std::uint32_t>& done(std::size_t s) { return counters_[s * (size_ + 1)].value; }
  /// The first piece of a thread's share that nobody has taken.
  std::atomic<std::uint32_t>& next(std::size_t s, unsigned thread) {
    return counters_[s * (size_ + 1) + 1 + thread].value;
  }

  void wake() {
    round_.value.fetch_add(1, std::memory_order_release);
    round_.value.notify_all();
  }

  void help(unsigned number) {
    auto lookout = spin_time;
    for (std::uint32_t round = 0;;) {
      round = await_change(round_.value, round, lookout);
      if (ending_.load(std::memory_order_relaxed)) return;
      const bool works = enter();
      // Roused ahead of work, or too late for it.
      lookout = works ? spin_time : roused_spin_time;
      if (!works) continue;
      go_through(number);
      if (gate_.value.fetch_sub(1, std::memory_order_acq_rel) == 1) gate_.value.notify_one();
    }
  }

  bool enter() {
    auto gate = gate_.value.load(std::memory_order_relaxed);
    while ((gate & open) != 0)
      if (gate_.value.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel)) return true;
    return false;
  }

  /// Own share first, then what is left of those of the others.
  void go_through(unsigned thread) {
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const auto& stage = stages_[s];
      std::uint32_t finished = 0;
      for (unsigned nth = 0; nth < size_; ++nth) {
        const auto whose = (thread + nth) % size_;
        const auto last = share_of(stage.pieces, whose, size_).last;
        while (next(s, whose).load(std::memory_order_relaxed) < last) {
          const auto piece = next(s, whose).fetch_add(1, std::memory_order_relaxed);
          if (piece >= last) break;
          stage.work(thread, piece);
          ++finished;
        }
      }
      await_others(s, finished);
    }
  }

  void await_others(std::size_t s, std::uint32_t finished) {
    auto all = done(s).fetch_add(finished, std::memory_order_acq_rel) + finished;
    if (finished > 0 && all == stages_[s].pieces) done(s).notify_all();
    while (all != stages_[s].pieces)
      all = await_change(done(s), all);
  }

  const unsigned size_;
  std::vector<std::thread> helpers_;
  std::atomic<bool> ending_{false};
  // Written by the caller while the gate is closed and nobody is inside.
  std::span<const stage> stages_;
  std::vector<counter> counters_;
  counter round_;
  counter gate_;
};

class sequential_team final : public thread_team {
public:
  explicit sequential_team(unsigned size) : size_(size) {}
  unsigned size() const override { return size_; }
  void rouse() override {}
  void run(std::span<const stage> stages) override {
    for (const auto& stage : stages)
      for (unsigned thread = 0; thread < size_; ++thread) {
        const auto share = share_of(stage.pieces, thread, size_);
        for (auto piece = share.first; piece < share.last; ++piece)
          stage.work(thread, piece);
      }
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
