/// An update rule of an application, registered without any global: the program makes a registry,
/// gives it to the nodes that it starts, and names the rule in the job. All nodes live in this
/// process, linked by memory; with processes of your own it is the same, in each of them that has
/// the role `server`.
///
/// Trains a small classifier and compares its parameters with those of a plain loop in float64.
/// Prints the largest difference; ends with 1 if it is not small, or if anything fails.

#include "actors/env/environment.hpp"
#include "actors/env/memory_disk.hpp"
#include "actors/env/network/memory_network.hpp"
#include "actors/node/node.hpp"
#include "actors/parameters/rule_registry.hpp"
#include "actors/store/model_file.hpp"
#include "config/node_config.hpp"
#include "tools/actor_system.hpp"
#include "tools/mesh_client.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

using namespace gradmesh;

namespace {

constexpr float clip = 0.1F;
constexpr float learning_rate = 0.5F;
constexpr int steps = 40;

// --- the rule -----------------------------------------------------------------------------------

/// w -= lr clamp(g, -clip, clip): no gradient moves a parameter by more than lr clip.
class clipped_sgd final : public parameters::optimizer {
public:
  std::string_view name() const override { return "example/clipped"; }
  std::size_t state_floats_per_parameter() const override { return 0; }
  bool counts_steps() const override { return false; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float>, const parameters::update_moment& at) const override {
    for (std::size_t i = 0; i < g.size(); ++i)
      to[i] = from[i] - at.learning_rate * std::clamp(g[i], -clip, clip);
  }
};

result<std::shared_ptr<parameters::rule_registry>> make_registry() {
  auto registry = std::make_shared<parameters::rule_registry>();
  auto added = registry->add(
      "example/clipped",
      [](const parameters::optimizer_options&) -> result<std::unique_ptr<parameters::optimizer>> {
        return std::unique_ptr<parameters::optimizer>(std::make_unique<clipped_sgd>());
      });
  if (!added) return added.failure();
  return registry;
}

// --- a job: eight points in the plane, two classes ----------------------------------------------

struct point {
  int label;
  std::array<double, 2> x;
};
constexpr std::array<point, 8> points{{{0, {-2.0, 0.5}},
                                       {0, {-1.0, -0.5}},
                                       {0, {-0.5, 1.0}},
                                       {0, {0.25, 2.0}},
                                       {1, {0.5, -1.0}},
                                       {1, {1.0, 0.25}},
                                       {1, {2.0, -0.5}},
                                       {1, {-0.25, -2.0}}}};

std::string points_file() {
  std::string text;
  for (const auto& p : points)
    text += std::to_string(p.label) + "," + std::to_string(p.x[0]) + "," + std::to_string(p.x[1]) +
            "\n";
  return text;
}

/// Each step takes all points.
std::string job_file() {
  return "[job]\nbatch_size = 8\nepochs = " + std::to_string(steps) +
         "\nmodel_file = model.gmm\n"
         "[data]\nformat = csv\ntrain = points.csv\n"
         "[optimizer]\ntype = example/clipped\nlearning_rate = " +
         std::to_string(learning_rate) + "\n";
}

/// Weights by input and class, then the biases: what the mesh has to come to. `clipped` counts the
/// gradients that the rule cut.
std::array<double, 6> train_in_float64(int& clipped) {
  std::array<double, 6> w{};
  for (int step = 0; step < steps; ++step) {
    std::array<double, 6> gradient{};
    for (const auto& p : points) {
      std::array<double, 2> odds{};
      for (int c = 0; c < 2; ++c)
        odds[c] = std::exp(w[c] * p.x[0] + w[2 + c] * p.x[1] + w[4 + c]);
      for (int c = 0; c < 2; ++c) {
        const double error = odds[c] / (odds[0] + odds[1]) - (p.label == c ? 1 : 0);
        gradient[c] += error * p.x[0] / points.size();
        gradient[2 + c] += error * p.x[1] / points.size();
        gradient[4 + c] += error / points.size();
      }
    }
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double cut = std::clamp(gradient[i], double{-clip}, double{clip});
      if (cut != gradient[i]) ++clipped;
      w[i] -= learning_rate * cut;
    }
  }
  return w;
}

// --- a mesh in this process ---------------------------------------------------------------------

struct small_mesh {
  env::environment environment;
  tools::actor_system system;
  std::vector<std::unique_ptr<node::node>> nodes; // end before the system does
};

result<std::unique_ptr<small_mesh>> start_mesh() {
  auto registry = make_registry();
  if (!registry) return registry.failure();
  auto mesh = std::make_unique<small_mesh>();
  auto& environment = mesh->environment;
  environment = env::real_environment(env::no_log(), "");
  environment.update_rules = *registry;
  environment.place = env::placement::detached;
  environment.make_network =
      [hub = std::make_shared<env::memory_hub>()](env::network_options options) {
        return std::shared_ptr<env::network>(env::make_memory_network(hub, std::move(options)));
      };
  environment.disk = std::make_shared<env::memory_disk>();
  if (auto made = environment.disk->create_directories("."); !made) return made.failure();
  if (auto put = environment.disk->write("points.csv", points_file()); !put) return put.failure();

  const std::string at = "127.0.0.1:7700"; // a name in memory; no socket is opened
  const std::string joins = "coordinator = " + at + "\n";
  for (const auto& ini :
       {"[node]\nname = coordinator\nroles = coordinator\nlisten = " + at + "\n",
        "[node]\nname = server\nroles = server\nlisten = 127.0.0.1:0\n" + joins,
        "[node]\nname = data-server\nroles = data-server\nlisten = 127.0.0.1:0\n" + joins,
        "[node]\nname = worker-0\nroles = worker\n" + joins,
        "[node]\nname = worker-1\nroles = worker\n" + joins}) {
    const auto loaded = config::parse_node(ini, "node.ini");
    if (!loaded) return error{errc::invalid_config, to_string(loaded.diagnostics)};
    auto started =
        node::node::start(*mesh->system, *loaded.value, environment, [](const error& why) {
          if (why) std::cerr << "a node ended: " << why.text << "\n";
        });
    if (!started) return started.failure();
    mesh->nodes.push_back(std::move(*started));
  }
  return mesh;
}

/// Submits the job and waits for its end.
result<void> train(const small_mesh& mesh) {
  const auto client = tools::mesh_client::connect(
      mesh.environment, {.coordinator = mesh.nodes.front()->endpoint(), .tls = {}});
  if (!client) return client.failure();
  const auto id = (*client)->submit({.config = job_file(), .min_workers = 2});
  if (!id) return id.failure();
  for (;;) {
    auto update = (*client)->next_update(std::chrono::seconds(30));
    if (!update) return update.failure();
    if (!*update) return error{errc::timed_out, "nothing was heard of the job for 30 s"};
    const auto job = ***update;
    if (job.getPhase() == schema::JobPhase::DONE) return {};
    if (job.getPhase() == schema::JobPhase::FAILED)
      return error{errc::refused, mesh::text(job.getText())};
  }
}

result<std::vector<float>> read_parameters(env::disk& disk) {
  const auto bytes = disk.read("model.gmm", 1 << 20);
  if (!bytes) return bytes.failure();
  auto model = store::read_model(std::as_bytes(std::span(*bytes)));
  if (!model) return model.failure();
  return model->dense;
}

result<double> largest_difference() {
  const auto mesh = start_mesh();
  if (!mesh) return mesh.failure();
  if (auto trained = train(**mesh); !trained) return trained.failure();
  const auto trained = read_parameters(*(*mesh)->environment.disk);
  if (!trained) return trained.failure();
  int clipped = 0;
  const auto expected = train_in_float64(clipped);
  if (trained->size() != expected.size() || clipped == 0)
    return error{errc::refused, "the example does not show what it is meant to show"};
  double difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    difference = std::max(difference, std::fabs((*trained)[i] - expected[i]));
  return difference;
}

} // namespace

int main() {
  const auto difference = largest_difference();
  if (!difference) {
    std::cerr << "custom_update_rule: " << difference.failure().text << "\n";
    return 1;
  }
  std::cout << "largest difference to float64 after " << steps
            << " steps of example/clipped: " << *difference << "\n";
  return *difference < 1e-5 ? 0 : 1;
}
