/// METHODS 18, HOGWILD!: the threads of a worker change one shared copy of the parameters without
/// locks. On sparse examples they rarely meet, so the loss is that of one thread. With real threads
/// and without a mesh: in virtual time a worker's threads take turns, and there would be nothing to
/// see. What their speed is, `gradmesh bench threads` tells.

#include "tools/bench/threads_bench.hpp"
#include "tools/bench/threads_data.hpp"
#include "tools/lab/methods.hpp"

namespace gradmesh::tools::lab {

result<checks> hogwild(const rule_set&) {
  const auto rows =
      bench::run_threads_bench({.data_name = "sparse",
                                .data = bench::make_examples({.examples = 20'480, // no short batch
                                                              .features = 100'000,
                                                              .classes = 2,
                                                              .entries = 10,
                                                              .seed = 20261122}),
                                .batch = 512,
                                // 0.02 for each example. With longer steps the loss depends on
                                // the order of the last ones, on one thread as on several.
                                .learning_rate = 10.24F,
                                .threads = 2,
                                .epochs = 12,
                                .runs = 1,
                                .progress = [](const std::string&) {}});
  if (!rows) return rows.failure();
  const auto& one = (*rows)[1];
  const auto& two = (*rows)[2];
  return checks{
      between("loss", "loss after 12 epochs by 2 threads, by that of 1", two.loss / one.loss, 0.99,
              1.01),
      at_most("learned", "loss of 1 thread in nats; that of a guess is 0.693", one.loss, 0.65)};
}

} // namespace gradmesh::tools::lab
