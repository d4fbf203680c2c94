/// METHODS 4, backup workers (Chen et al.: "Revisiting distributed synchronous SGD", 2016): M + b
/// workers, a step is applied after its first M pushes, and later ones are dropped.

#include "tools/lab/counting.hpp"
#include "tools/lab/methods.hpp"

#include <fmt/format.h>

#include <numeric>

namespace gradmesh::tools::lab {

result<checks> backup_workers(const rule_set& rules) {
  constexpr std::size_t examples = 512;
  constexpr std::size_t epochs = 16;
  constexpr double steps = epochs * examples / counted_batch;
  experiment e;
  e.rules = rules;
  e.options = {"job.strategy=bsp", "job.backup_workers=1", fmt::format("job.epochs={}", epochs)};
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 1, 1, 10};
  count_examples(e, examples);
  const auto done = run(e);
  if (!done) return done.failure();
  const auto needed = static_cast<double>(e.workers - 1);
  const auto workers = static_cast<double>(e.workers);
  const auto counts = applied_counts(done->model, {.share = workers / needed});
  const double applied = std::accumulate(counts.begin(), counts.end(), 0.0);
  double computed = 0;
  double skipped = 0;
  for (const auto worker : done->update().getWorkers()) {
    computed += static_cast<double>(worker.getExamples());
    skipped += static_cast<double>(worker.getSkippedExamples());
  }
  return checks{
      at_most("step-time", "step time by that of the three fast workers; the fourth takes 10 x",
              done->update().getTrainSeconds() / (steps * 0.010), 1.15),
      between("applied", "examples applied, by steps x 3 pushes (the counting model)",
              applied / (steps * needed * counted_batch / workers), 0.999, 1.001),
      at_least("dropped", "part of the examples whose push was dropped or never computed",
               1 - applied / (steps * counted_batch), 0.2),
      exactly("accounted", "examples computed or skipped, by those of all epochs",
              (computed + skipped) / (steps * counted_batch), 1),
  };
}

} // namespace gradmesh::tools::lab
