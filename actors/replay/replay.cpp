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

result<replay_job> make_job(const job::job_plan& plan, const learning::dataset& train,
                            const parameters::rule_registry& update_rules) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto backend = gpu::make_cpu_backend();
  auto planner = learning::make_model(job::model_options_of(plan.config), plan.shape, *backend);
  if (!planner) return planner.failure();
  return replay_job{plan,
                    train,
                    update_rules,
                    data_server::batch_schedule({.examples = train.size(),
                                                 .batch = plan.config.job.batch_size,
                                                 .pieces = plan.pieces,
                                                 .seed = plan.config.job.seed}),
                    parameters::slicer(plan.tables, std::move(*map)),
                    std::move(backend),
                    std::move(*planner)};
}

/// The job between two changes of its options.
struct phase {
  job::job_plan plan;
  std::vector<pushed_batches> pushes; // by rank
};

result<std::vector<phase>> phases_of(std::vector<record::opened_log> logs) {
  std::vector<phase> phases;
  const auto enter = [&](std::size_t number, const job::job_plan& plan) {
    if (number == phases.size())
      phases.push_back({plan, std::vector<pushed_batches>(plan.workers.size())});
  };
  for (auto& log : logs) {
    std::size_t at = 0;
    enter(at, log.job);
    for (auto e = log.rest.next();; e = log.rest.next()) {
      if (!e) return e.failure();
      if (!*e) break;
      if (const auto* changed = std::get_if<record::plan_record>(&**e)) {
        const auto plan = record::decode_plan(*changed);
        if (!plan) return plan.failure();
        enter(++at, *plan);
      }
      const auto* push = std::get_if<record::push_record>(&**e);
      if (push && push->what != record::outcome::repeated)
        phases[at].pushes[push->rank].try_emplace(
            push->sequence, pushed_batch{push->step, push->first_piece, push->pieces});
    }
  }
  return phases;
}

std::uint64_t count_pushes(const std::vector<phase>& phases) {
  std::uint64_t count = 0;
  for (const auto& p : phases)
    for (const auto& of_worker : p.pushes)
      count += of_worker.size();
  return count;
}

/// Done again from phase to phase.
struct course {
  std::vector<std::unique_ptr<replay_shard>> shards;
  std::uint64_t pushes = 0;
  std::uint64_t total = 0;
  const progress_handler& on_progress;
};

result<void> run_phase(course& of, std::vector<replay_worker>& workers) {
  for (bool did_some = true; did_some;) {
    did_some = false;
    for (auto& shard : of.shards) {
      const auto advanced = shard->advance(workers, of.pushes);
      if (!advanced) return advanced.failure();
      did_some |= *advanced;
      of.on_progress(of.pushes, of.total);
    }
  }
  for (const auto& shard : of.shards)
    if (!shard->at_end() && !shard->at_plan())
      return {errc::malformed_data, shard->where() + ": this push was computed from values that no "
                                                     "log has; the logs do not fit together"};
  return {};
}

result<void> begin_phase(course& of, replay_job& job, std::vector<record::opened_log>& logs,
                         replay_router& router) {
  for (auto& shard : of.shards)
    if (auto changed = shard->change(job); !changed) return changed;
  if (!of.shards.empty()) return {};
  for (auto& log : logs) {
    auto shard = replay_shard::make(std::move(log), job, router);
    if (!shard) return shard.failure();
    of.shards.push_back(std::move(*shard));
  }
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
                        const progress_handler& on_progress,
                        const parameters::rule_registry& update_rules) {
  const auto verified = record::verify(logs);
  if (!verified) return verified.failure();
  // A shard without partitions exports nothing.
  if (std::ranges::none_of(verified->shards, &record::shard_findings::finished))
    return error{errc::refused, "the job did not come to its end, so there are no final "
                                "parameters to reproduce"};
  if (std::ranges::any_of(verified->shards, [](const auto& s) { return s.generations > 0; }))
    return error{
        errc::refused,
        "workers or data servers were lost or came while the job ran, so its steps were shared out "
        "anew, which a replay does not do. `gradmesh verify` checks such a run; to replay one, "
        "record the job again, with members that stay"};
  auto opened = record::open_logs(logs);
  if (!opened) return opened.failure();
  auto phases = phases_of(*opened);
  if (!phases) return phases.failure();
  replay_router router;
  const auto places = router.bind_workers(phases->front().plan.workers.size());
  course run{{}, 0, count_pushes(*phases), on_progress};
  std::string sha256;
  for (auto& p : *phases) {
    if (auto fits = check_data(p.plan, train); !fits) return fits.failure();
    p.plan.workers = places;
    auto job = make_job(p.plan, train, update_rules);
    if (!job) return job.failure();
    std::vector<replay_worker> workers;
    for (auto& batches : p.pushes) {
      auto worker = replay_worker::make(*job, std::move(batches));
      if (!worker) return worker.failure();
      workers.push_back(std::move(*worker));
    }
    if (auto begun = begin_phase(run, *job, *opened, router); !begun) return begun.failure();
    if (auto ran = run_phase(run, workers); !ran) return ran.failure();
    if (&p != &phases->back()) continue;
    auto hash = fingerprint(run.shards, *job);
    if (!hash) return hash.failure();
    sha256 = std::move(*hash);
  }
  return replayed{std::move(sha256), run.total, places.size(), run.shards.size()};
}

} // namespace gradmesh::replay
