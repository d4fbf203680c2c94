#pragma once

/// One job on one shard: its parameters, its clock, and the rule by which pushes are applied and
/// pulls answered. Plain code; the actor around it only passes messages on.
///
/// Every message is checked before anything is changed. An error that a function returns is what
/// the sender is told; it leaves the job as it was.

#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"
#include "actors/parameters/gradient_sum.hpp"
#include "actors/parameters/parameter_store.hpp"
#include "actors/server_shard/parameter_request.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace gradmesh::server_shard {

using mesh::message;

/// Counted over the job, for status.
struct shard_counters {
  std::uint64_t pulls = 0;   // answered
  std::uint64_t pushes = 0;  // acknowledged for the first time
  std::uint64_t updates = 0; // applied; the shard's clock
  std::uint64_t repeated_parts = 0;
  std::uint64_t refused = 0;
};

class shard_job {
public:
  /// Creates the initial parameters of the shard that stands at `index` in the plan, which was made
  /// in the view `epoch`.
  static result<std::unique_ptr<shard_job>> make(job::job_plan plan, std::uint64_t epoch,
                                                 std::size_t index,
                                                 std::shared_ptr<mesh::router> router);
  virtual ~shard_job() = default;

  std::uint64_t id() const { return plan_.job_id; }
  const shard_counters& counters() const { return counters_; }
  std::uint64_t sparse_keys() const { return store_.sparse_keys(); }
  virtual std::size_t waiting_pulls() const = 0;

  result<void> pull(const message<schema::Pull>& request);
  result<void> push(const message<schema::Push>& request);
  result<void> export_partition(const message<schema::ExportPartition>& request);

protected:
  shard_job(job::job_plan plan, parameters::parameter_store store,
            std::shared_ptr<mesh::router> router);

  /// The strategy's part, for requests whose sender and layout have been checked.
  virtual result<void> strategy_pull(const message<schema::Pull>& request) = 0;
  /// Takes a part of a push; the number of updates that were applied between the read and this push
  /// if the part was its last, else 0. `request` keeps the part's memory alive.
  virtual result<std::uint64_t> strategy_push(const message<schema::Push>& request,
                                              std::uint32_t rank, const pushed_part& part) = 0;
  /// After all parts of a message have been taken and acknowledged.
  virtual result<void> after_push() { return {}; }

  /// Reads the parameters now and sends them. `retry_later` if what the worker has not read yet
  /// fills the queue to it.
  result<void> answer(const message<schema::Pull>& request);
  void refuse(const message<schema::Pull>& request, const error& why);
  /// Updates the parameters by one part; `rank`: of the worker that named the keys.
  result<void> apply(std::uint32_t rank, const requested_part& what, std::span<const float> values,
                     float rate);
  result<void> check(std::uint32_t rank, const requested_part& what, std::span<const float> values);

  const job::job_plan plan_;
  parameters::parameter_store store_;
  shard_counters counters_;

private:
  result<void> check_worker(std::uint64_t job_id, std::uint32_t rank,
                            const mesh::frame_header& request) const;
  /// The rows of a run; valid until the next call. Errors: `unknown_keys`, and those of
  /// parameter_store::resolve.
  result<parameters::key_rows*> rows_of(std::uint32_t rank, const requested_part& what);
  result<void> take_parts(const message<schema::Push>& request,
                          std::vector<std::uint64_t>& staleness);
  /// What a part of a pull reads: rows as a view until the next call, a block for good.
  result<parameters::shared_floats> values_of(std::uint32_t rank, const requested_part& part);
  result<void> send_values(const message<schema::Pull>& request,
                           std::span<const std::uint32_t> numbers, std::uint8_t priority,
                           mesh::frame_body body);

  const std::shared_ptr<mesh::router> router_;
  std::uint64_t epoch_ = 0;
  std::vector<parameters::key_cache> known_keys_; // by rank
  parameters::key_rows looked_up_;
  std::vector<float> row_values_; // of a run that is being sent
};

} // namespace gradmesh::server_shard
