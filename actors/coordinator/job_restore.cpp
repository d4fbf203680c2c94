#include "actors/coordinator/job_restore.hpp"

#include "actors/defaults.hpp"
#include "actors/server_shard/image_chunk.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::coordinator {

void job_restore::open(const restore_source& from, const job::job_plan& plan) const {
  caf::anon_send(reader_,
                 checkpoint_open{from.folder, from.number,
                                 std::make_shared<const store::model_identity>(identity_of(plan))});
}

result<void> job_restore::on_opened(const checkpoint::checkpoint_opened& opened,
                                    job::job_plan& plan) {
  checkpoint_ = opened.checkpoint;
  const auto& manifest = checkpoint_->manifest;
  auto progress = decode_progress(manifest.summary.progress);
  if (!progress) return progress.failure();
  if (progress->examples != plan.examples)
    return error{errc::refused,
                 fmt::format("checkpoint {} is of a training set of {} examples, the data has {} "
                             "now; go on with the data that it was made with",
                             store::checkpoint_name(manifest.number), progress->examples,
                             plan.examples)};
  // The pieces name what was done, so a step stays cut into as many, whoever computes them.
  plan.pieces = progress->pieces;
  plan.first_step = std::min(progress->done.below() / plan.pieces, plan.steps);
  plan.done = plan.by_rank() ? job::piece_set() : std::move(progress->done);
  chunks_ = 0;
  for (const auto& shard : manifest.shards)
    chunks_ += shard.size();
  next_ = 0;
  fetching_ = 0;
  last_sent_ = false;
  return {};
}

void job_restore::send_more(const job::job_plan& plan, open_requests& requests,
                            env::time_point now) {
  if (last_sent_ || fetching_ > 0 || !requests.empty()) return;
  for (; next_ < chunks_ && fetching_ < defaults::coordinator::restored_at_once; ++fetching_)
    caf::anon_send(reader_, checkpoint_fetch{next_++});
  if (fetching_ > 0) return;
  last_sent_ = true;
  for (std::uint32_t shard = 0; shard < plan.layout.size(); ++shard)
    ask(plan, shard, {}, true, requests, now);
}

result<void> job_restore::on_chunk(const checkpoint::chunk_read& read, const job::job_plan& plan,
                                   open_requests& requests, env::time_point now) {
  if (fetching_ == 0) return {}; // of a beginning that came to nothing
  --fetching_;
  const auto bytes = std::as_bytes(std::span(*read.bytes));
  const auto scope = server_shard::scope_of(bytes);
  if (!scope) return scope.failure();
  const auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  if (scope->partition && *scope->partition >= plan.partitions)
    return error{errc::malformed_data, "a checkpoint has rows of a partition that the job lacks"};
  for (std::uint32_t shard = 0; shard < plan.layout.size(); ++shard) {
    const auto own = map->dense_of_shard(shard);
    const bool meets = scope->partition
                           ? map->owner(*scope->partition) == shard
                           : scope->dense.first < own.last && own.first < scope->dense.last;
    if (meets) ask(plan, shard, {read.bytes, bytes}, false, requests, now);
  }
  return {};
}

void job_restore::ask(const job::job_plan& plan, std::uint32_t shard, const mesh::frame_body& body,
                      bool last, open_requests& requests, env::time_point now) const {
  const auto draft = std::make_shared<mesh::draft<schema::RestoreChunk>>();
  (*draft)->setJobId(plan.job_id);
  (*draft)->setLayout(plan.layout.number);
  (*draft)->setShard(shard);
  (*draft)->setLast(last);
  draft->body = body;
  const auto& replicas = plan.layout.shards[shard];
  const auto shared = std::shared_ptr<const mesh::draft<schema::RestoreChunk>>(draft);
  requests.ask(replicas.primary.where, shared, now);
  // All replicas of a job that begins are equal (layout_keeper).
  if (replicas.backup && replicas.synced && rules_.keeps(rule::restore_all))
    requests.ask(replicas.backup->where, shared, now);
}

} // namespace gradmesh::coordinator
