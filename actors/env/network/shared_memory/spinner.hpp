#pragma once

/// Polls the channels of a loop for a while after something has come or gone, before they go to
/// sleep: a peer that answers within this time need not make a system call, and neither need we.
/// The loop goes on with everything else between two polls. When nothing happens the channels
/// sleep in the system, and the process uses no processor time.
///
/// Lives on the loop thread; must outlive the channels.

#include <kj/async.h>

#include <chrono>
#include <vector>

namespace gradmesh::env::shm {

class pollable {
public:
  /// Does what can be done now; false = there was nothing.
  virtual bool poll() = 0;
  /// Asks the peer for a wake-up; false = something has come in the meantime.
  virtual bool sleep() = 0;

protected:
  ~pollable() = default;
};

/// 50 us, or none where there is one processor only: there the peer cannot run while we spin.
std::chrono::microseconds default_spin_time();

class spinner {
public:
  explicit spinner(std::chrono::microseconds spin_time = default_spin_time())
      : spin_time_(spin_time) {}

  void add(pollable& channel);
  void remove(pollable& channel);
  /// Something has happened or is about to.
  void wake();

private:
  using clock = std::chrono::steady_clock;

  kj::Promise<void> turn();
  bool poll_all();
  bool sleep_all();

  const std::chrono::microseconds spin_time_;
  std::vector<pollable*> channels_;
  clock::time_point until_;
  bool turning_ = false;
  kj::Promise<void> turns_ = nullptr;
};

} // namespace gradmesh::env::shm
