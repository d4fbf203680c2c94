#pragma once

/// What a shard writes down of a job while it runs: events in, blocks of a clock log (event.hpp)
/// out, to whoever writes them to the disk.
///
/// The shard must neither wait for the disk nor lose events in silence. So blocks that are on their
/// way to the disk are bounded (`waiting_bytes_max`); when the disk does not follow, or fails, the
/// recording ends for good, the log closes with a gap that says how many events are missing, and
/// the training goes on.
///
/// Used by one thread; the progress is shared with the writer's.

#include "actors/record/event_sink.hpp"
#include "actors/record/log_builder.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace gradmesh::record {

/// How far the writing is.
struct write_progress {
  std::atomic<std::uint64_t> waiting_bytes = 0; // handed over, not written
  std::atomic<std::uint64_t> written_bytes = 0;
  std::atomic<std::uint64_t> lost_events = 0; // came after the recording had ended
  std::atomic<bool> failed = false;           // nothing more will be written
};

/// Takes a block to be appended to the log; `last`: nothing follows.
using block_sink = std::function<void(std::string block, bool last)>;

class recorder final : public event_sink {
public:
  static constexpr std::uint64_t waiting_bytes_max = 16u << 20;

  recorder(const plan_record& plan, block_sink sink, std::shared_ptr<write_progress> progress);
  /// Closes the log of a job that was not ended.
  ~recorder() override;
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  void add(const plan_record& plan) override { keep(plan); }
  void add(const read_record& read) override { keep(read); }
  void add(const push_record& push) override { keep(push); }
  void add(const step_record& step) override { keep(step); }
  void add(const export_record& exported) override { keep(exported); }
  void end(const end_record& totals) override;

private:
  template <class Event>
  void keep(const Event& e) {
    if (full_ || progress_->failed.load(std::memory_order_relaxed)) {
      ++progress_->lost_events;
      return;
    }
    log_.add(e);
    if (log_.full()) hand_over();
  }
  void hand_over();

  log_builder log_;
  const block_sink sink_;
  const std::shared_ptr<write_progress> progress_;
  bool full_ = false; // what was handed over last is the last before the gap
  bool ended_ = false;
};

} // namespace gradmesh::record
