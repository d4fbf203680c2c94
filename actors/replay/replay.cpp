#include "actors/replay/replay.hpp"

#include "actors/replay/replay_router.hpp"
#include "actors/replay/replay_shard.hpp"
#include "actors/replay/replay_worker.hpp"
#include "actors/store/fingerprint.hpp"
#include "gpu/cpu_backend.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::replay {
namespace {

result<void> check_data(const job::job_plan& plan, const learning::dataset& train) {
  const auto steps = (train.size() + plan.config.job.batch_size - 1) / plan.config.job.batch_size;
  if (train.shape == plan.shape && steps == plan.steps_per_epoch) return {};
  return {errc::refused,
          fmt::format("the data is not that of the run: it has {} examples of {} features in {} "
                      "classes, {} steps an epoch; the run had {} features, {} classes and {} "
                      "steps an epoch",
                      train.size(), train.shape.features, train.shape.classes, steps,
                      plan.shape.features, plan.shape.classes, plan.steps_per_epoch)};
}

result<replay_job> make_job(const job::job_plan& plan, const learning::dataset& train) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto backend = gpu::make_cpu_backend();
  auto planner = learning::make_model(job::model_options_of(plan.config), plan.shape, *backend);
  if (!planner) return planner.failure();
  return replay_job{plan,
                    train,
                    data_server::batch_schedule({.examples = train.size(),
                                                 .batch = plan.config.job.batch_size,
                                                 .pieces = plan.pieces,
                                                 .seed = plan.config.job.seed}),
                    parameters::slicer(plan.tables, std::move(*map)),
                    std::move(backend),
                    std::move(*planner)};
}

/// Tells the workers which pushes there are; how many.
result<std::uint64_t> expect_pushes(std::vector<record::opened_log> logs,
                                    std::vector<replay_worker>& workers) {
  for (auto& log : logs)
    for (auto e = log.rest.next();; e = log.rest.next()) {
      if (!e) return e.failure();
      if (!*e) break;
      const auto* push = std::get_if<record::push_record>(&**e);
      if (push && push->what != record::outcome::repeated) workers[push->rank].expect(*push);
    }
  std::uint64_t pushes = 0;
  for (const auto& worker : workers)
    pushes += worker.expected();
  return pushes;
}

result<void> run_all(std::vector<std::unique_ptr<replay_shard>>& shards,
                     std::vector<replay_worker>& workers, std::uint64_t total,
                     const progress_handler& on_progress) {
  std::uint64_t pushes = 0;
  for (bool did_some = true; did_some;) {
    did_some = false;
    for (auto& shard : shards) {
      const auto advanced = shard->advance(workers, pushes);
      if (!advanced) return advanced.failure();
      did_some |= *advanced;
      on_progress(pushes, total);
    }
  }
  for (const auto& shard : shards)
    if (!shard->at_end())
      return {errc::malformed_data, shard->where() + ": this push was computed from values that no "
                                                     "log has; the logs do not fit together"};
  return {};
}

result<std::string> fingerprint(std::vector<std::unique_ptr<replay_shard>>& shards,
                                const replay_job& job) {
  std::vector<parameters::partition_content> partitions;
  for (auto& shard : shards)
    std::ranges::move(shard->take_exported(), std::back_inserter(partitions));
  store::model_content model;
  model.shape = job.plan.shape;
  model.tables = job.plan.tables;
  if (auto done = store::assemble_model(partitions, job.slicer.map(), model); !done)
    return done.failure();
  return store::parameters_sha256(model);
}

} // namespace

result<replayed> replay(std::span<const record::named_log> logs, const learning::dataset& train,
                        const progress_handler& on_progress) {
  const auto verified = record::verify(logs);
  if (!verified) return verified.failure();
  if (!std::ranges::all_of(verified->shards, &record::shard_findings::finished))
    return error{errc::refused, "the job did not come to its end, so there are no final "
                                "parameters to reproduce"};
  auto opened = record::open_logs(logs);
  if (!opened) return opened.failure();
  auto plan = opened->front().job;
  if (auto fits = check_data(plan, train); !fits) return fits.failure();

  replay_router router;
  plan.workers = router.bind_workers(plan.workers.size());
  auto job = make_job(plan, train);
  if (!job) return job.failure();
  std::vector<replay_worker> workers;
  for (std::size_t rank = 0; rank < plan.workers.size(); ++rank) {
    auto worker = replay_worker::make(*job);
    if (!worker) return worker.failure();
    workers.push_back(std::move(*worker));
  }
  const auto total = expect_pushes(*opened, workers);
  if (!total) return total.failure();
  std::vector<std::unique_ptr<replay_shard>> shards;
  for (auto& log : *opened) {
    auto shard = replay_shard::make(std::move(log), *job, router);
    if (!shard) return shard.failure();
    shards.push_back(std::move(*shard));
  }
  if (auto ran = run_all(shards, workers, *total, on_progress); !ran) return ran.failure();
  auto sha256 = fingerprint(shards, *job);
  if (!sha256) return sha256.failure();
  return replayed{std::move(*sha256), *total, workers.size(), shards.size()};
}

} // namespace gradmesh::replay
