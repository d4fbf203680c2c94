/// METHODS 9, data servers or partitioned data: batches follow from seed, epoch and step alone, so
/// whoever hands them out, the model is the same; leased ahead, they are there when needed.

#include "tools/job_figures.hpp"
#include "tools/lab/counting.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {
namespace {

result<check> same_model(const rule_set& rules) {
  auto one = training(rules, {"job.deterministic=true", "job.epochs=2"});
  one.workers = 3;
  std::vector<experiment> all;
  for (const std::size_t servers : {1, 2, 5}) {
    all.push_back(one);
    all.back().data_servers = servers;
  }
  all.push_back(one);
  all.back().data_servers = 0;
  all.back().options.insert(all.back().options.end(),
                            {"data.served_by=partitioned", "mesh.data_servers=0"});
  const auto models = different_models(all);
  if (!models) return models.failure();
  return exactly("different-models", "from 1, 2 and 5 data servers and from partitioned data",
                 *models, 1);
}

result<check> each_once(const rule_set& rules) {
  experiment e;
  e.rules = rules;
  e.workers = 3;
  e.data_servers = 2;
  e.options = {"job.strategy=bsp", "job.epochs=3"};
  count_examples(e, 512);
  const auto done = run(e);
  if (!done) return done.failure();
  return at_most("uses-per-epoch", "greatest distance from once, by the counting model",
                 worst_count(applied_counts(done->model), 3) / 3, 0.01);
}

result<check> input_stall(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=bsp", "job.epochs=4"});
  e.step_time = std::chrono::milliseconds(10);
  e.link_delay = std::chrono::milliseconds(1);
  const auto done = run(e);
  if (!done) return done.failure();
  double stalled = 0;
  double active = 0;
  for (const auto worker : done->update().getWorkers()) {
    stalled += worker.getStalledLeaseSeconds();
    active += worker.getActiveSeconds();
  }
  return at_most("input-stall", "part of the workers' time in which they wait for examples",
                 stalled / active, 0.05);
}

} // namespace

result<checks> data_servers(const rule_set& rules) {
  checks found;
  for (const auto run_check : {same_model, each_once, input_stall}) {
    auto one = run_check(rules);
    if (!one) return one.failure();
    found.push_back(std::move(*one));
  }
  return found;
}

} // namespace gradmesh::tools::lab
