/// METHODS 1, wait: a pull that has to wait for other workers is answered once, at the moment of
/// the push that it waits for; one whose signal came first is answered at once.

#include "tools/lab/clock_watch.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

#include <algorithm>
#include <map>

namespace gradmesh::tools::lab {

result<checks> wait(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=bsp", "job.epochs=4"});
  e.step_time = std::chrono::milliseconds(10);
  e.slowdown = {1, 1, 1, 5};
  clock_watch watch(e.workers);
  const simulation::virtual_mesh* mesh = nullptr;
  std::map<mesh::node_uuid, env::time_point> last_push; // by shard
  double latest_wake = 0;
  double signal_first = 0;
  double signal_later = 0;
  watch.expect([&](const clock_watch&, const read_event& read) {
    ++(read.held_seconds > 0 ? signal_later : signal_first);
    if (read.held_seconds > 0)
      latest_wake = std::max(latest_wake, env::seconds_between(last_push[read.shard], mesh->now()));
    return std::string();
  });
  e.begun = [&](const simulation::virtual_mesh& m) { mesh = &m; };
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    const auto before = watch.pushes();
    watch.see(to, f);
    if (watch.pushes() > before) last_push[f->header.from.uuid] = mesh->now();
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  return checks{
      at_least("signal-first", "pulls whose signal had come before", signal_first, 1),
      at_least("signal-later", "pulls that waited for another worker", signal_later, 1),
      exactly("wake-up-seconds", "longest time from the signal to the answer, in virtual time",
              latest_wake, 0),
      exactly("woken-twice", "parts that are answered again",
              static_cast<double>(watch.parts_answered_twice()), 0),
  };
}

} // namespace gradmesh::tools::lab
