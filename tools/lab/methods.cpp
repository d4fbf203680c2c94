#include "tools/lab/methods.hpp"

namespace gradmesh::tools::lab {
namespace {

constexpr rule push_pull_rules[] = {rule::read_waits};
constexpr rule barrier_rules[] = {rule::step_complete, rule::read_waits};
constexpr rule bsp_rules[] = {rule::push_once, rule::rank_order};
constexpr rule backup_rules[] = {rule::late_dropped};
constexpr rule async_rules[] = {rule::push_once};
constexpr rule ssp_rules[] = {rule::staleness_bound, rule::read_my_writes, rule::own_writes_added,
                              rule::own_writes_once};
constexpr rule delay_rules[] = {rule::delay_bound};
constexpr rule svrg_rules[] = {rule::snapshot_added};

constexpr method methods[] = {
    {"push-pull", "every request is answered once, no read is older than asked for", push_pull,
     push_pull_rules},
    {"wait", "a worker that waits is woken once, on the right signal", wait, {}},
    {"barrier", "nobody passes a step before all have come to its end", barrier, barrier_rules},
    {"bsp", "bulk synchronous: the bits of a sequential run, each update once", bsp, bsp_rules},
    {"backup-workers", "a step does without its last pushes, and counts them", backup_workers,
     backup_rules},
    {"async", "asynchronous: staleness, convergence, a worker that hangs", async, async_rules},
    {"ssp", "stale synchronous parallel: nobody reads beyond the bound", ssp, ssp_rules},
    {"bounded-delay", "no task begins before those it depends on are applied", bounded_delay,
     delay_rules},
    {"stragglers", "one of four workers is five times slower", stragglers, {}},
    {"several-servers",
     "any number of shards, evenly loaded, gives the same model",
     several_servers,
     {}},
    {"data-servers", "whoever hands out examples, each is used once", data_servers, {}},
    {"momentum", "momentum on the servers is that of a sequential program", momentum, {}},
    {"adam", "Adam on the servers is that of a sequential program", adam, {}},
    {"update-rules", "every rule of the servers is that of a sequential program", update_rules, {}},
    {"sgld", "Langevin dynamics samples a posterior that is known", sgld, {}},
    {"hogwild", "lock-free threads of a worker learn what one thread does", hogwild, {}},
    {"svrg", "snapshots take the noise out of steps at a constant rate", svrg, svrg_rules},
    {"overlap", "computing hides communication, and the other way round", overlap, {}},
};

} // namespace

std::span<const method> all_methods() {
  return methods;
}

} // namespace gradmesh::tools::lab
