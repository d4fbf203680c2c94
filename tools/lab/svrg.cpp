/// METHODS 19, SVRG: steps corrected by the gradient of the whole set at a snapshot lose their
/// noise as parameters and snapshot come to the minimum, so that a constant rate gets there, and
/// geometrically, where plain SGD goes on wandering about it. On softmax regression with an l2
/// term, which is strongly convex; the minimum comes from gradient descent in float64.

#include "tools/lab/lab_data.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"
#include "tools/simulation/oracle.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>

namespace gradmesh::tools::lab {
namespace {

constexpr std::uint32_t features = 8;
constexpr std::uint32_t classes = 3;
constexpr double l2 = 0.1;
constexpr std::size_t epochs_between = 2;
constexpr std::size_t snapshots = 8;
constexpr std::size_t steps_an_epoch = 8; // 512 examples by 64

experiment regression(const rule_set& rules, std::size_t svrg_epochs, std::size_t epochs) {
  experiment e;
  e.rules = rules;
  e.data = dense_examples(20261122, 512, features, classes);
  e.options = {fmt::format("model.l2={}", l2), fmt::format("job.svrg_epochs={}", svrg_epochs),
               fmt::format("job.epochs={}", epochs), "optimizer.learning_rate=0.5",
               "job.deterministic=true"};
  return e;
}

/// What the job minimizes: the mean loss, and l2 / 2 by the square of the weights.
double objective(const simulation::oracle& o, const learning::dataset& data) {
  double squares = 0;
  for (std::size_t p = 0; p < features * classes; ++p)
    squares += o.parameters()[p] * o.parameters()[p];
  return o.evaluate(data.view()).loss / static_cast<double>(data.size()) + l2 / 2 * squares;
}

double least_objective(const learning::dataset& data) {
  constexpr double rate = 2;      // below 2 / L; the features are in [-1, 1)
  constexpr int steps_max = 1000; // each leaves at most 0.8 of the distance
  simulation::oracle o(data.shape, {});
  for (int step = 0; step < steps_max; ++step) {
    const auto gradient = o.gradient(data.view());
    for (std::size_t p = 0; p < o.size(); ++p) {
      const auto term = p < features * classes ? l2 * o.parameters()[p] : 0;
      o.parameters()[p] -= rate * (gradient[p] / static_cast<double>(data.size()) + term);
    }
  }
  return objective(o, data);
}

result<double> above_least(const experiment& e, double least) {
  const auto trained = run(e);
  if (!trained) return trained.failure();
  simulation::oracle o(e.data.shape, {});
  o.parameters() = simulation::flat_parameters(trained->model);
  return objective(o, e.data) - least;
}

/// R^2 of the straight line through (0, y[0]), (1, y[1]), ...; 0 where it does not fall.
double falls_like_a_line(const std::vector<double>& y) {
  const auto n = static_cast<double>(y.size());
  double sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto x = static_cast<double>(i);
    sx += x;
    sy += y[i];
    sxx += x * x;
    sxy += x * y[i];
    syy += y[i] * y[i];
  }
  const auto xy = n * sxy - sx * sy;
  return xy < 0 ? xy * xy / ((n * sxx - sx * sx) * (n * syy - sy * sy)) : 0;
}

result<checks> convergence(const rule_set& rules) {
  const auto all_epochs = snapshots * (epochs_between + 1);
  const auto least = least_objective(regression(rules, 0, 1).data);
  std::vector<double> distances;
  double last = 0;
  for (std::size_t taken = 1; taken <= snapshots; ++taken) {
    const auto distance =
        above_least(regression(rules, epochs_between, taken * (epochs_between + 1)), least);
    if (!distance) return distance.failure();
    last = *distance;
    distances.push_back(std::log10(last));
  }
  const auto plain = above_least(regression(rules, 0, all_epochs), least);
  if (!plain) return plain.failure();
  return checks{at_least("linear",
                         fmt::format("R^2 of a line through log10(f - f*) by snapshots, {} of them",
                                     snapshots),
                         falls_like_a_line(distances), 0.98),
                at_most("below-sgd",
                        "f - f* by that of plain SGD with the same rate after as many epochs",
                        last / *plain, 1e-4)};
}

/// The mean over an epoch's steps of the square of what is pushed for a step, g(w) - g(w~) of all
/// workers together. It bounds the variance of the direction, which differs by a constant only.
class noise_watch {
public:
  void see(const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    if (f->header.kind != mesh::message_traits<schema::Push>::kind) return;
    const auto push = mesh::message<schema::Push>::decode(f);
    if (!push || (**push).getParts().size() == 0) return;
    const auto first = (**push).getParts()[0];
    const auto values = push->array<float>(0, push->body().size() / sizeof(float));
    if (!values) return;
    auto& sum = sums_[first.getSequence()][{to, first.getNumber()}];
    sum.resize(values->size());
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += (*values)[i];
  }
  double in_epoch(std::size_t epoch) const {
    double squares = 0;
    for (auto step = epoch * steps_an_epoch; step < (epoch + 1) * steps_an_epoch; ++step)
      if (const auto found = sums_.find(step); found != sums_.end())
        for (const auto& [where, sum] : found->second)
          for (const auto value : sum)
            squares += double{value} * value;
    return squares / steps_an_epoch;
  }

private:
  std::map<std::uint64_t, std::map<std::pair<mesh::node_uuid, std::uint32_t>, std::vector<float>>>
      sums_; // by step; of the workers, by shard and first part
};

result<check> noise_vanishes(const rule_set& rules) {
  auto e = regression(rules, epochs_between, snapshots * (epochs_between + 1));
  noise_watch watch;
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    watch.see(to, f);
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  return at_most(
      "noise", "mean square of g(w) - g(w~) in the last epoch, by that after the first snapshot",
      watch.in_epoch(snapshots * (epochs_between + 1) - 1) / watch.in_epoch(epochs_between), 1e-6);
}

} // namespace

result<checks> svrg(const rule_set& rules) {
  auto found = convergence(rules);
  if (!found) return found.failure();
  auto noise = noise_vanishes(rules);
  if (!noise) return noise.failure();
  found->push_back(std::move(*noise));
  return found;
}

} // namespace gradmesh::tools::lab
