#include "tools/lab/experiment.hpp"

#include "config/job_config.hpp"
#include "tools/lab/lab_data.hpp"

#include <fmt/format.h>

namespace gradmesh::tools::lab {
namespace {

constexpr std::chrono::minutes virtual_time_max{60};

/// The job file of an experiment, with all defaults filled in.
result<std::string> job_text(const experiment& e) {
  const bool dense = e.data.shape.kind == learning::layout::dense;
  config::overrides over;
  over.command_line = {"job.name=lab",
                       "job.model_file=model.gmm",
                       "job.batch_size=64",
                       "job.seed=7",
                       dense ? "data.format=csv" : "data.format=libsvm",
                       "data.train=train.data",
                       fmt::format("data.features={}", e.data.shape.features),
                       fmt::format("data.classes={}", e.data.shape.classes),
                       "optimizer.type=sgd",
                       "optimizer.learning_rate=0.5",
                       fmt::format("mesh.workers={}", e.workers),
                       "mesh.partitions=8",
                       // A push is acknowledged when the shard has it, by which watches go.
                       "job.replication=1"};
  over.command_line.insert(over.command_line.end(), e.options.begin(), e.options.end());
  const auto loaded = config::parse_job("", "the lab's job", over);
  if (!loaded) return error{errc::invalid_config, to_string(loaded.diagnostics)};
  return config::dump_job(*loaded.value);
}

result<void> add_nodes(simulation::virtual_mesh& mesh, const experiment& e) {
  const std::pair<const char*, std::size_t> roles[] = {{"coordinator", 1},
                                                       {"server", e.servers},
                                                       {"data-server", e.data_servers},
                                                       {"worker", e.workers}};
  for (const auto& [role, count] : roles)
    for (std::size_t i = 0; i < count; ++i) {
      auto file = simulation::virtual_mesh::node_file(role, i);
      file += fmt::format("[emulation]\nlink_delay_ms = {}\nstep_time_ms = {}\n",
                          e.link_delay.count(), e.step_time.count());
      if (role == std::string_view("worker") && i < e.slowdown.size())
        file += fmt::format("slowdown = {}\nslow_part = {}\n", e.slowdown[i], e.slow_part);
      if (auto added = mesh.add_node(file); !added) return added.failure();
    }
  mesh.settle();
  return {};
}

} // namespace

result<outcome> run(const experiment& e) {
  const auto job = job_text(e);
  if (!job) return job.failure();
  simulation::virtual_mesh mesh({.rules = e.rules, .tap = e.tap});
  if (e.begun) e.begun(mesh);
  if (auto written = mesh.disk().write("train.data", file_text(e.data)); !written)
    return written.failure();
  if (auto added = add_nodes(mesh, e); !added) return added.failure();
  if (auto submitted = mesh.submit(*job); !submitted) return submitted.failure();
  const auto ended = [&] { return mesh.outcome().ended() || (e.enough && e.enough()); };
  if (!mesh.run_until(ended, virtual_time_max))
    return error{errc::timed_out, fmt::format("the job has not ended after {} virtual minutes",
                                              virtual_time_max.count())};
  outcome result{mesh.outcome(), {}};
  if (!result.job.ended()) return result;
  if (result.job.phase != schema::JobPhase::DONE)
    return error{errc::refused, "the job failed: " + result.job.text};
  auto model = mesh.read_model(result.job.model_file);
  if (!model) return model.failure();
  result.model = std::move(*model);
  return result;
}

} // namespace gradmesh::tools::lab
