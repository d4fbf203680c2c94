#pragma once

/// One shard of a job that is done again: the code that the shard itself runs, asked in the order
/// of its clock log. What it does is compared with the log, event by event.

#include "actors/parameters/partition_content.hpp"
#include "actors/record/verify.hpp"
#include "actors/replay/replay_router.hpp"
#include "actors/replay/replay_worker.hpp"
#include "actors/server_shard/shard_job.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::replay {

class replay_shard {
public:
  /// `job`, whose plan has its workers on `router`, and `router` outlive the shard.
  static result<std::unique_ptr<replay_shard>> make(record::opened_log log, replay_job& job,
                                                    replay_router& router);

  /// Does what the log says until it ends, comes to another plan, or needs a gradient that is not
  /// computed yet. True if it
  /// did something. `pushes` grows by the pushes that all shards have taken.
  result<bool> advance(std::vector<replay_worker>& workers, std::uint64_t& pushes);
  bool at_end() const { return at_end_; }
  bool at_plan() const { return next_ && std::holds_alternative<record::plan_record>(*next_); }
  /// Goes on by another plan; `at_plan`.
  result<void> change(replay_job& job);
  std::string where() const { return log_.rest.where(); }

  /// The partitions as they are at the end.
  std::vector<parameters::partition_content> take_exported() { return std::move(exported_); }

private:
  replay_shard(record::opened_log log, replay_job& job, replay_router& router)
      : log_(std::move(log)), job_(&job), router_(router),
        happened_(std::make_shared<std::deque<record::event>>()) {}

  /// False: it has to wait.
  result<bool> repeat(const record::event& e, std::vector<replay_worker>& workers,
                      std::uint64_t& pushes);
  result<bool> repeat_read(const record::read_record& read, replay_worker& worker);
  result<bool> repeat_push(const record::push_record& push, replay_worker& worker,
                           std::uint64_t& pushes);
  result<void> repeat_export(const record::export_record& exported);
  result<void> ask(const record::read_record& read, const parameters::slice& slice,
                   const std::vector<std::uint32_t>& parts);
  result<void> take_values(const parameters::slice& slice, const std::vector<std::uint32_t>& parts,
                           worker::step_work& work);
  result<void> send(const record::push_record& push, const parameters::slice& slice,
                    const mesh::writable_body& body);
  result<void> compare(const record::event& recorded);
  error misfit(const std::string& what) const;

  record::opened_log log_;
  replay_job* job_;
  replay_router& router_;
  std::shared_ptr<std::deque<record::event>> happened_; // told, not compared yet
  std::unique_ptr<server_shard::shard_job> shard_;
  std::optional<record::event> next_;
  bool at_end_ = false;
  std::vector<float> decoded_;
  std::vector<parameters::partition_content> exported_;
};

} // namespace gradmesh::replay
