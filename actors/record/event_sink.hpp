#pragma once

/// Who is told what a shard does for a job.

#include "actors/record/event.hpp"

namespace gradmesh::record {

/// What a shard tells of a job, in the order in which it does it.
class event_sink {
public:
  virtual ~event_sink() = default;
  /// The job goes on by another plan.
  virtual void add(const plan_record& plan) = 0;
  virtual void add(const read_record& read) = 0;
  virtual void add(const push_record& push) = 0;
  virtual void add(const step_record& step) = 0;
  virtual void add(const export_record& exported) = 0;
  /// Nothing follows: the job is over, or the shard moves.
  virtual void end(const end_record& totals) = 0;
};

} // namespace gradmesh::record
