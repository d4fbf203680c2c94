#include "tools/lab/training.hpp"

#include "actors/data_server/batch_schedule.hpp"
#include "tools/lab/lab_data.hpp"
#include "tools/simulation/oracle.hpp"

#include <fmt/format.h>

#include <set>

namespace gradmesh::tools::lab {
namespace {

constexpr std::uint64_t data_seed = 20261121;
constexpr std::size_t examples = 1024;

/// The chosen examples of a sparse set.
learning::dataset pick(const learning::dataset& from, const std::vector<std::uint32_t>& chosen) {
  learning::dataset to{from.shape, {}, {0}, {}, {}};
  for (const auto i : chosen) {
    to.labels.push_back(from.labels[i]);
    for (auto e = from.offsets[i]; e < from.offsets[i + 1]; ++e) {
      to.indices.push_back(from.indices[e]);
      to.values.push_back(from.values[e]);
    }
    to.offsets.push_back(static_cast<std::uint32_t>(to.indices.size()));
  }
  return to;
}

} // namespace

experiment training(const rule_set& rules, std::vector<std::string> options) {
  experiment e;
  e.options = std::move(options);
  e.data = learnable_examples(data_seed, examples, 300, 4);
  e.rules = rules;
  return e;
}

result<double> different_models(const std::vector<experiment>& experiments) {
  std::set<std::string> hashes;
  for (const auto& e : experiments) {
    const auto trained = run(e);
    if (!trained) return trained.failure();
    hashes.insert(trained->job.parameters_sha256);
  }
  return static_cast<double>(hashes.size());
}

result<double> distance_to_sequential(const experiment& e, const std::string& rule,
                                      float learning_rate, std::size_t steps) {
  auto same = e;
  same.options.insert(same.options.end(), {"optimizer.type=" + rule,
                                           fmt::format("optimizer.learning_rate={}", learning_rate),
                                           "job.epochs=1000", fmt::format("job.steps={}", steps)});
  const auto trained = run(same);
  if (!trained) return trained.failure();
  simulation::oracle oracle(e.data.shape, {}, {.kind = rule, .learning_rate = learning_rate});
  data_server::batch_schedule schedule(
      {.examples = e.data.size(), .batch = 64, .pieces = 1, .seed = 7});
  for (std::size_t step = 0; step < steps; ++step) {
    const auto chosen = schedule.choose(step, 0, 1);
    oracle.step(pick(e.data, chosen.examples).view(), 1.0 / chosen.step_examples);
  }
  return simulation::relative_error(simulation::flat_parameters(trained->model),
                                    oracle.parameters());
}

double loss_of(const outcome& o, const learning::dataset& data) {
  simulation::oracle oracle(data.shape, {});
  oracle.parameters() = simulation::flat_parameters(o.model);
  return oracle.evaluate(data.view()).loss / static_cast<double>(data.size());
}

} // namespace gradmesh::tools::lab
