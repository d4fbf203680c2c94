/// METHODS 1, push and pull: a request and its answer, part by part. Every request is answered
/// exactly once, and a pull of version v never gets an older one.

#include "tools/lab/clock_watch.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

namespace gradmesh::tools::lab {

result<checks> push_pull(const rule_set& rules) {
  auto e = training(rules, {"job.strategy=bsp", "job.epochs=4"});
  e.workers = 3;
  clock_watch watch(e.workers);
  double too_old = 0;
  watch.expect([&](const clock_watch&, const read_event& read) {
    too_old += read.shard_clock < read.asked_clock ? 1 : 0;
    return std::string();
  });
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  const auto asked = static_cast<double>(watch.parts_asked());
  return checks{
      exactly("answered", "parts of pulls and pushes that are answered, by all of them",
              static_cast<double>(watch.parts_answered()) / asked, 1),
      exactly("answered-twice", "parts that are answered again",
              static_cast<double>(watch.parts_answered_twice()), 0),
      exactly("too-old", "pulls of a version that get an older one", too_old, 0),
  };
}

} // namespace gradmesh::tools::lab
