/// METHODS 6, bounded delay (Li et al., OSDI 2014): task t (step x workers + rank) begins only when
/// all tasks up to t - tau - 1 are applied; tau = 0 is sequential.

#include "tools/lab/clock_watch.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

#include <fmt/format.h>

namespace gradmesh::tools::lab {
namespace {

result<check> tasks(const rule_set& rules, std::uint64_t delay) {
  auto e = training(
      rules, {"job.strategy=bounded-delay", fmt::format("job.delay={}", delay), "job.epochs=4"});
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 2, 1, 5};
  clock_watch watch(e.workers);
  watch.expect(delay_contract(delay));
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  return exactly(fmt::format("too-early-delay-{}", delay),
                 fmt::format("tasks of {} that begin before those they depend on are applied",
                             watch.reads().size()) +
                     (watch.violations() > 0 ? "; " + watch.first_violation() : std::string()),
                 static_cast<double>(watch.violations()), 0);
}

} // namespace

result<checks> bounded_delay(const rule_set& rules) {
  checks found;
  for (const std::uint64_t delay : {0, 5}) {
    auto one = tasks(rules, delay);
    if (!one) return one.failure();
    found.push_back(std::move(*one));
  }
  return found;
}

} // namespace gradmesh::tools::lab
