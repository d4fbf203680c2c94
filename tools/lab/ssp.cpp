/// METHODS 6, stale synchronous parallel (Ho et al., NIPS 2013): a read at clock c sees the pushes
/// of all workers for the steps before c - s, and all of its worker's own.

#include "tools/lab/clock_watch.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

#include <algorithm>

namespace gradmesh::tools::lab {
namespace {

constexpr std::uint64_t bound = 3;

result<checks> reads(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=ssp", "job.staleness=3", "job.epochs=4"});
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 1, 1, 5};
  clock_watch watch(e.workers);
  std::uint64_t lead = 0;
  watch.expect([&, kept = ssp_contract(bound)](const clock_watch& w, const read_event& read) {
    const auto slowest = w.slowest(read.shard);
    lead = std::max(lead, read.asked_clock - std::min(slowest, read.asked_clock));
    return kept(w, read);
  });
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  return checks{
      exactly("beyond-bound",
              "reads that miss a push which they should see" +
                  (watch.violations() > 0 ? "; " + watch.first_violation() : std::string()),
              static_cast<double>(watch.violations()), 0),
      exactly("lead", "clocks by which a worker was ahead of the slowest at most",
              static_cast<double>(lead), bound),
  };
}

result<check> without_staleness(const rule_set& rules) {
  const auto models =
      different_models({training(rules, {"job.strategy=bsp", "job.epochs=2"}),
                        training(rules, {"job.strategy=ssp", "job.staleness=0", "job.epochs=2"})});
  if (!models) return models.failure();
  return exactly("different-models", "from bsp and from ssp with staleness 0", *models, 1);
}

} // namespace

result<checks> ssp(const rule_set& rules) {
  auto found = reads(rules);
  if (!found) return found;
  const auto same = without_staleness(rules);
  if (!same) return same.failure();
  found->push_back(*same);
  return found;
}

} // namespace gradmesh::tools::lab
