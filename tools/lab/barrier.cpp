/// METHODS 1, barrier: under bsp the end of a step is one. No worker reads for step t before all
/// have pushed step t - 1, however different their speeds.

#include "tools/lab/clock_watch.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {

result<checks> barrier(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=bsp", "job.epochs=4"});
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 2, 1, 3};
  clock_watch watch(e.workers);
  watch.expect(bsp_contract(e.workers));
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  return checks{
      at_least("reads", "reads that were looked at", static_cast<double>(watch.reads().size()),
               static_cast<double>(e.workers * 64)),
      exactly("passed-too-early",
              "reads before all had come" +
                  (watch.violations() > 0 ? "; " + watch.first_violation() : std::string()),
              static_cast<double>(watch.violations()), 0),
  };
}

} // namespace gradmesh::tools::lab
