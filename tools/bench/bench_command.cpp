#include "tools/bench/baseline/stream_baseline.hpp"
#include "tools/bench/gpu_command.hpp"
#include "tools/bench/link_command.hpp"
#include "tools/bench/link_peer.hpp"
#include "tools/bench/push_pull_command.hpp"
#include "tools/bench/push_pull_worker.hpp"
#include "tools/bench/threads_command.hpp"
#include "tools/command.hpp"
#include "tools/nouns.hpp"

namespace gradmesh::tools {
namespace {

constexpr noun nouns[] = {
    {"gpu", "measures a step on a CUDA device", bench::gpu_command},
    {"link", "measures one link between two processes", bench::link_command},
    {"push-pull", "measures pushes and pulls between workers and shards", bench::push_pull_command},
    {"threads", "measures lock-free threads in a worker's step", bench::threads_command},
};

/// What the benchmarks start as further processes; nobody calls them by hand.
constexpr noun internal_nouns[] = {
    {"baseline-peer", "", bench::baseline_peer},
    {"link-peer", "", bench::link_peer},
    {"push-pull-worker", "", bench::push_pull_worker},
};

} // namespace

exit_code bench_command(const std::vector<std::string>& arguments) {
  for (const auto& n : internal_nouns)
    if (!arguments.empty() && arguments.front() == n.name)
      return n.run({arguments.begin() + 1, arguments.end()});
  return run_noun("bench", nouns, arguments);
}

} // namespace gradmesh::tools
