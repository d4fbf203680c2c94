/// METHODS 5, asynchronous parameter servers: each push is applied when it comes. n workers at an
/// unchanged rate act like n times the rate, so the servers divide it.

#include "tools/job_figures.hpp"
#include "tools/lab/clock_watch.hpp"
#include "tools/lab/counting.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

#include <cmath>

namespace gradmesh::tools::lab {
namespace {

result<check> staleness(const rule_set& rules) {
  // Speeds that differ a little let the workers' steps begin at all moments; without overlap, so
  // that no worker reads before its last push is applied.
  auto e = training(rules, {"job.strategy=async", "job.epochs=64", "job.overlap=false"});
  e.servers = 1;
  e.step_time = std::chrono::milliseconds(100);
  e.slowdown = {1, 1.01, 1.02, 1.03};
  const auto done = run(e);
  if (!done) return done.failure();
  const auto others = static_cast<double>(e.workers - 1);
  return between("staleness", "mean updates between a read and its push, by the other workers",
                 staleness_of(done->update()).mean / others, 0.8, 1.2);
}

result<check> convergence(const rule_set& rules) {
  const auto loss = [&](const std::string& strategy) -> result<double> {
    const auto e = training(rules, {"job.strategy=" + strategy, "job.epochs=40"});
    const auto done = run(e);
    if (!done) return done.failure();
    return loss_of(*done, e.data);
  };
  const auto asynchronous = loss("async");
  if (!asynchronous) return asynchronous.failure();
  const auto synchronous = loss("bsp");
  if (!synchronous) return synchronous.failure();
  return at_most("loss", "loss after 40 epochs, by that of bsp", *asynchronous / *synchronous,
                 1.05);
}

result<check> each_once(const rule_set& rules) {
  experiment e;
  e.rules = rules;
  e.options = {"job.strategy=async"};
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 1.5, 2, 5};
  return applied_once(std::move(e));
}

result<check> hanging_worker(const rule_set& rules) {
  // Pushes of the others while one hangs in its first step; each takes 10 ms.
  constexpr std::chrono::seconds watched{2};
  auto e = training(rules, {"job.strategy=async", "job.epochs=1000"});
  e.servers = 1;
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 1, 1, 1000};
  clock_watch watch(e.workers);
  const simulation::virtual_mesh* mesh = nullptr;
  env::time_point first{};
  e.begun = [&](const simulation::virtual_mesh& m) { mesh = &m; };
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    if (watch.pushes() == 0) first = mesh->now();
    return 1U;
  };
  e.enough = [&] { return watch.pushes() > 0 && mesh->now() - first >= watched; };
  if (const auto done = run(e); !done) return done.failure();
  const double expected = 3 * std::chrono::duration<double>(watched).count() / 0.010;
  return at_least("one-hangs", "steps while one of 4 workers hangs, by 3/4 of those of all",
                  static_cast<double>(watch.pushes()) / expected, 0.9);
}

} // namespace

result<checks> async(const rule_set& rules) {
  checks found;
  for (const auto run_check : {staleness, convergence, each_once, hanging_worker}) {
    auto one = run_check(rules);
    if (!one) return one.failure();
    found.push_back(std::move(*one));
  }
  return found;
}

} // namespace gradmesh::tools::lab
