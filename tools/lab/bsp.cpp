/// METHODS 2 and 4, synchronous data parallelism on parameter servers: a step's gradients are
/// summed in rank order, so it is minibatch SGD with the batch of all workers together.

#include "tools/lab/counting.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/rank_order.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {
namespace {

result<check> same_bits(const rule_set& rules) {
  std::vector<experiment> all;
  for (const std::size_t workers : {1, 2, 4}) {
    all.push_back(training(rules, {"job.deterministic=true", "job.epochs=2"}));
    all.back().workers = workers;
  }
  const auto models = different_models(all);
  if (!models) return models.failure();
  return exactly("different-models", "from 1, 2 and 4 workers, deterministic", *models, 1);
}

result<check> sequential(const rule_set& rules) {
  const auto distance =
      distance_to_sequential(training(rules, {"job.deterministic=true"}), "sgd", 0.5F, 200);
  if (!distance) return distance.failure();
  return at_most("distance",
                 "parameters after 200 steps: relative distance from a sequential program in "
                 "float64",
                 *distance, 1e-6);
}

result<check> each_once(const rule_set& rules) {
  experiment e;
  e.rules = rules;
  e.options = {"job.strategy=bsp"};
  return applied_once(std::move(e));
}

result<check> rank_order(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=bsp", "job.epochs=6"});
  e.servers = 1;
  e.workers = rank_order_watch::workers;
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {3, 1, 2}; // arrival is in another order than rank
  rank_order_watch watch(e.data.shape.classes, 0.5F);
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  const auto steps = static_cast<double>(watch.steps());
  return exactly("sum-in-rank-order", "steps whose bits are those of the sum by rank, of all",
                 (steps - static_cast<double>(watch.different())) / steps, 1);
}

} // namespace

result<checks> bsp(const rule_set& rules) {
  checks found;
  for (const auto run_check : {same_bits, sequential, each_once, rank_order}) {
    auto one = run_check(rules);
    if (!one) return one.failure();
    found.push_back(std::move(*one));
  }
  return found;
}

} // namespace gradmesh::tools::lab
