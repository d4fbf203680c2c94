/// METHODS 6, stale synchronous parallel (Ho et al., NIPS 2013): a read at clock c sees the pushes
/// of all workers for the steps before c - s, and all of its worker's own. Those that are on their
/// way the worker adds itself: so one worker alone goes the way of a sequential program, though its
/// reads are steps behind, and one that is slow never waits for its own pushes.

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
  std::uint64_t ahead = 0;
  watch.expect([&, kept = ssp_contract(bound)](const clock_watch& w, const read_event& read) {
    auto slowest = read.asked_clock;
    for (std::uint32_t rank = 0; rank < w.workers(); ++rank)
      if (rank != read.rank) slowest = std::min(slowest, w.completed(read.shard, rank));
    lead = std::max(lead, read.asked_clock - slowest);
    ahead += read.own_missing > 0 && read.own_missing <= read.asked_clock ? 1 : 0;
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
      at_least("read-ahead", "reads that left out pushes of their own worker, for it to add",
               static_cast<double>(ahead), 1),
  };
}

/// Whether a worker's own pushes are in what it computes from, each once, while they are on links
/// as long as two steps.
result<check> own_writes(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=ssp", "job.staleness=3"});
  e.workers = 1;
  e.step_time = std::chrono::milliseconds(10);
  e.link_delay = std::chrono::milliseconds(7);
  const auto distance = distance_to_sequential(e, "sgd", 0.5F, 200);
  if (!distance) return distance.failure();
  return at_most("own-writes", "relative error of one worker's steps to a sequential program's",
                 *distance, 1e-5);
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
  for (const auto& also : {own_writes, without_staleness}) {
    const auto one = also(rules);
    if (!one) return one.failure();
    found->push_back(*one);
  }
  return found;
}

} // namespace gradmesh::tools::lab
