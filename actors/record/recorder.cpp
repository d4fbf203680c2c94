#include "actors/record/recorder.hpp"

#include <utility>

namespace gradmesh::record {

recorder::recorder(const plan_record& plan, block_sink sink,
                   std::shared_ptr<write_progress> progress)
    : sink_(std::move(sink)), progress_(std::move(progress)) {
  log_.add(plan);
  hand_over();
}

recorder::~recorder() {
  end({});
}

void recorder::hand_over() {
  if (progress_->waiting_bytes >= waiting_bytes_max) full_ = true;
  auto block = log_.take();
  progress_->waiting_bytes += block.size();
  sink_(std::move(block), false);
}

void recorder::end(const end_record& totals) {
  if (std::exchange(ended_, true)) return;
  if (const auto lost = progress_->lost_events.load(); lost > 0) log_.add(gap_record{lost});
  log_.add(totals);
  auto block = log_.take();
  progress_->waiting_bytes += block.size();
  sink_(std::move(block), true);
}

} // namespace gradmesh::record
