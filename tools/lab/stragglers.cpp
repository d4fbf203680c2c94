/// METHODS 6 and 7, stragglers: one of four workers computes five times slower; links take 1 ms, or
/// as long as a step is computed.
///
/// When it is another one at every moment (each worker in a quarter of its steps, at random), ssp
/// lets the others go on and catches up. When it is always the same, ssp spares it the way to the
/// shards and back: whoever takes the steps by rank cannot be faster than the slowest computes, but
/// under bsp each of its steps waits for its last push as well. Under async the others take its
/// work; with a backup worker its pushes are dropped.

#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {
namespace {

enum class slow { none, at_random, always, always_far };

constexpr std::chrono::milliseconds step_time{10};
constexpr std::chrono::milliseconds near{1};

/// Steps per second of virtual time.
result<double> rate(const rule_set& rules, std::vector<std::string> options, slow who) {
  options.push_back("job.epochs=32");
  auto e = training(rules, std::move(options));
  e.step_time = step_time;
  e.link_delay = who == slow::always_far ? step_time : near;
  if (who == slow::always || who == slow::always_far) e.slowdown = {1, 1, 1, 5};
  if (who == slow::at_random) {
    e.slowdown = {5, 5, 5, 5};
    e.slow_part = 0.25;
  }
  const auto done = run(e);
  if (!done) return done.failure();
  return static_cast<double>(done->update().getStepsTotal()) / done->update().getTrainSeconds();
}

} // namespace

result<checks> stragglers(const rule_set& rules) {
  const std::vector<std::string> bsp{"job.strategy=bsp"};
  const std::vector<std::string> ssp{"job.strategy=ssp", "job.staleness=3"};
  const std::vector<std::string> async{"job.strategy=async"};
  const std::vector<std::string> backup{"job.strategy=bsp", "job.backup_workers=1"};
  const struct {
    const char* name;
    const char* what;
    const std::vector<std::string>& faster;
    slow there;
    const std::vector<std::string>& slower;
    slow here;
    double least;
  } pairs[] = {
      {"random-ssp-by-bsp", "steps per second of ssp (staleness 3) by bsp's, slow at random", ssp,
       slow::at_random, bsp, slow::at_random, 1.1},
      {"random-async-by-ssp", "steps per second of async by ssp's, slow at random", async,
       slow::at_random, ssp, slow::at_random, 1.02},
      // 5 steps of computing, and under bsp two ways besides.
      {"always-ssp-by-bsp", "steps per second of ssp by bsp's, one always slow, long links", ssp,
       slow::always_far, bsp, slow::always_far, 1.3},
      {"always-async-by-ssp", "steps per second of async by ssp's, one always slow", async,
       slow::always, ssp, slow::always, 1.1},
      {"backup-by-even", "steps per second with a backup worker by bsp's without a straggler",
       backup, slow::always, bsp, slow::none, 0.85},
  };
  checks found;
  for (const auto& p : pairs) {
    const auto faster = rate(rules, p.faster, p.there);
    if (!faster) return faster.failure();
    const auto slower = rate(rules, p.slower, p.here);
    if (!slower) return slower.failure();
    found.push_back(at_least(p.name, p.what, *faster / *slower, p.least));
  }
  return found;
}

} // namespace gradmesh::tools::lab
