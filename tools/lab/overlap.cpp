/// METHODS 1, overlap: with links so slow that communication takes as long as computing, a step
/// takes as long as the longer of the two, and as long as both when job.overlap is off. Under
/// async: what bsp makes a worker wait for (its own step's sum) cannot be hidden.

#include "tools/job_figures.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {

result<checks> overlap(const rule_set& rules) {
  // A lease, a pull and a push have an answer each: six times a link's delay.
  auto e = training(rules, {"job.strategy=async", "job.epochs=8"});
  e.workers = 2;
  e.link_delay = std::chrono::milliseconds(10);
  e.step_time = std::chrono::milliseconds(60);
  const auto with = run(e);
  if (!with) return with.failure();
  e.options.push_back("job.overlap=false");
  const auto without = run(e);
  if (!without) return without.failure();
  double compute = 0;
  double communication = 0;
  for (const auto worker : without->update().getWorkers()) {
    compute += worker.getComputeSeconds();
    communication += communication_seconds(worker);
  }
  return checks{
      between("communication", "time of communication by time of computing",
              communication / compute, 0.95, 1.05),
      between("overlapped", "step time by the longer of computing and communicating",
              overlap_of(with->update()), 0.9, 1.1),
      between("one-after-the-other", "the same with job.overlap = false",
              overlap_of(without->update()), 1.9, 2.1),
  };
}

} // namespace gradmesh::tools::lab
