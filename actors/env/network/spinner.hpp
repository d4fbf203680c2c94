#pragma once

/// Keeps a loop awake for a while after something has come or gone on a bulk lane, before it goes
/// to sleep. A peer on shared memory that answers within this time need not make a system call, and
/// neither need we; what comes by a socket finds the thread awake, which saves most of a round trip
/// between two processes of a host. The loop goes on with everything else between two polls. When
/// nothing happens it sleeps in the system, and the process uses no processor time.
///
/// To spin is good only where the peer can run meanwhile and answers soon. On a busy machine it
/// keeps the processor from the very peer that it waits for, and a sleeper is woken at once. So a
/// spin that brought nothing is not repeated until the channels have slept for less than the spin
/// time, which the spin would have caught; after each further failure twice as often.
///
/// Lives on the loop thread; must outlive the channels.

#include <kj/async.h>

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace gradmesh::env {

class pollable {
public:
  /// Does what can be done now; false = there was nothing.
  virtual bool poll() = 0;
  /// Asks the peer for a wake-up; false = something has come in the meantime.
  virtual bool sleep() = 0;

protected:
  ~pollable() = default;
};

/// 250 us, or none where there is one processor only. Longer than the peer needs for two blocks of
/// parameters (90 us) and for a message of 1 MiB (180 us): who waits for an answer to one of these
/// is then awake, and the peer need not wake it, which costs more than the answer.
std::chrono::microseconds default_spin_time();

class spinner {
public:
  spinner() : spinner(default_spin_time()) {}
  explicit spinner(std::chrono::microseconds spin_time) : spin_time_(spin_time) {}

  void add(pollable& channel);
  void remove(pollable& channel);
  /// Something has happened or is about to.
  void wake();

private:
  using clock = std::chrono::steady_clock;

  kj::Promise<void> turn();
  bool poll_all();
  bool sleep_all();
  bool spins() const { return short_sleeps_ >= short_sleeps_wanted_; }
  void progressed(clock::time_point now);
  void spun_in_vain();

  const std::chrono::microseconds spin_time_;
  std::vector<pollable*> channels_;
  bool turning_ = false;
  clock::time_point since_; // last progress or wake
  bool waited_ = false;     // there was a poll in vain since the last progress
  clock::time_point slept_since_;
  bool slept_ = false; // since the last progress
  std::uint32_t short_sleeps_ = 1;
  std::uint32_t short_sleeps_wanted_ = 1;
  kj::Promise<void> turns_ = nullptr;
};

/// A lane on a socket: the loop itself looks there while it is awake.
class arrivals final : public pollable {
public:
  explicit arrivals(spinner& spin);
  ~arrivals();
  arrivals(const arrivals&) = delete;
  arrivals& operator=(const arrivals&) = delete;

  /// Something has come.
  void note();

  bool poll() override { return std::exchange(came_, false); }
  bool sleep() override { return !came_; }

private:
  spinner& spinner_;
  bool came_ = false;
};

} // namespace gradmesh::env
