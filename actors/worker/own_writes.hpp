#pragma once

/// A worker's own pushes, added to parameters that it read before they were applied (see "Own
/// writes" in schema/parameters.capnp): the client cache of stale synchronous parallel, so that no
/// step waits until the one before it has been to the shards and back.
///
/// What is added is what was pushed, bit by bit as it travelled, by the shards' rule
/// w -= rate * g in float32. Steps are added in their order.

#include "actors/parameters/slicer.hpp"
#include "actors/parameters/transfer_codec.hpp"
#include "actors/worker/step_work.hpp"

#include <functional>
#include <vector>

namespace gradmesh::worker {

/// The first of a worker's own steps that some of a step's values lack; the step itself if none is
/// lacking.
std::uint64_t first_own_missing(const step_work& work);

class own_writes {
public:
  /// `rate_of`: that by which the shards apply this worker's push of a step.
  own_writes(const parameters::slicer& slicer, parameters::transfer_format push_format,
             std::function<float(std::uint64_t step)> rate_of)
      : slicer_(slicer), format_(push_format), rate_of_(std::move(rate_of)) {}

  /// Adds the steps in `work.own_writes` to the parts of its parameters that lack them, counts them
  /// in `work.own_steps`, and lets go of them. Errors: `malformed_message` if a push does not
  /// decode.
  result<void> add_to(step_work& work);

private:
  /// One step, to what a shard sent.
  result<void> add(const step_work& own, std::size_t shard, step_work& work);
  void add_block(const parameters::slice& of, const parameters::part& part,
                 std::span<const float> values, step_work& work) const;
  /// The rows of a run that the step has too, and lacks.
  void add_rows(const step_work& own, std::size_t shard, const parameters::part& run,
                std::span<const float> values, step_work& work);
  /// The values of a part of a push.
  result<std::span<const float>> values_of(const step_work& own, std::size_t shard,
                                           std::size_t part);

  const parameters::slicer& slicer_;
  const parameters::transfer_format format_;
  const std::function<float(std::uint64_t)> rate_of_;
  float rate_ = 0;                    // of the step that is being added
  std::vector<float> decoded_;        // a part that did not travel as float32
  std::vector<std::uint8_t> lacking_; // by part of the slice that is being added to
};

} // namespace gradmesh::worker
