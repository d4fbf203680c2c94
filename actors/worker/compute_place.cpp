#include "actors/worker/compute_place.hpp"

#include "actors/node/spawn.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace gradmesh::worker {
namespace {

gpu::product_precision precision_of(config::product_rounding rounding) {
  switch (rounding) {
  case config::product_rounding::tf32:
    return gpu::product_precision::tf32;
  case config::product_rounding::bfloat16:
    return gpu::product_precision::bfloat16;
  default:
    return gpu::product_precision::float32;
  }
}

learning::batch_sizes examples_of(const job::job_plan& plan) {
  const std::size_t batch = plan.config.job.batch_size;
  const auto workers = plan.by_rank() ? plan.workers.size() : 1;
  // An evaluation's batch is one worker's.
  return {(batch + workers - 1) / workers, batch};
}

using made_program = result<std::unique_ptr<gpu_stream::step_program>>;

/// The step's program on a device that is opened for it.
result<std::unique_ptr<step_computer>> make_on_device(const job::job_plan& plan,
                                                      const env::device_opener& open,
                                                      const gpu::cuda_options& device,
                                                      const env::log_sink& log) {
  auto backend = open(device);
  if (!backend) return backend.failure();
  const auto memory = (*backend)->memory();
  const auto free = memory.limit - memory.in_use;
  const std::string name((*backend)->name());
  auto computer = step_computer::make(plan, {}, std::move(*backend));
  if (!computer) return computer.failure();
  const auto sizes = examples_of(plan);
  const auto& fitted = (*computer)->fit(sizes, free);
  if (fitted.device_bytes > free)
    return error{
        errc::limit_exceeded,
        fmt::format("on {} the model takes {}, for {} examples a step, and {} MiB are free "
                    "or allowed there (worker.device_memory_limit_mib); use a smaller "
                    "job.batch_size or model, or worker.device = cpu",
                    name, fitted.text(), sizes.training, free >> 20)};
  log(env::severity::info, fmt::format("a step of {} examples takes {} of the {} MiB on {}",
                                       sizes.training, fitted.text(), free >> 20, name));
  return computer;
}

} // namespace

result<std::optional<gpu::cuda_options>> choose_device(const config::node_config& config,
                                                       const env::environment& environment) {
  using chosen = std::optional<gpu::cuda_options>;
  using kind = config::device_choice::kind;
  const auto& worker = config.worker;
  const bool slowed = config.emulation.step_time.count() > 0 || config.emulation.slowdown != 1;
  const bool automatic = worker.device.what == kind::automatic;
  if (!config.has(config::role::worker) || worker.device.what == kind::cpu ||
      (automatic && (slowed || !environment.open_device)))
    return chosen();
  if (!environment.open_device)
    return error{errc::not_found, "worker.device: there are no devices in this environment"};
  gpu::cuda_options options{.device = static_cast<int>(worker.device.number),
                            .precision = precision_of(worker.device_products)};
  if (worker.device_memory_limit_mib > 0)
    options.memory_bytes_max = worker.device_memory_limit_mib << 20;
  const auto opened = environment.open_device(options);
  if (opened) {
    environment.log(env::severity::info, "computing on " + std::string((*opened)->name()));
    return chosen(options);
  }
  if (!automatic) return error{opened.failure().code, "worker.device: " + opened.failure().text};
  environment.log(env::severity::debug, "computing on the CPU: " + opened.failure().text);
  return chosen();
}

result<compute_place> compute_place::make(const job::job_plan& plan, const node::context& context,
                                          const std::optional<gpu::cuda_options>& device) {
  compute_place place;
  place.host_.place = context.place;
  // HOGWILD! is for threads of a CPU.
  if (!device || plan.config.job.threads > 1) {
    auto computer = step_computer::make(plan, context.make_team);
    if (!computer) return computer.failure();
    place.computer_ = std::move(*computer);
    place.has_threads_ = plan.config.job.threads > 1;
    return place;
  }
  auto computer = make_on_device(plan, context.open_device, *device, context.log);
  if (!computer) return computer.failure();
  place.computer_ = std::move(*computer);
  auto& first = *place.computer_;
  place.memory_ = first.backend().make_pinned();
  first.backend().use_pinned(place.memory_);
  place.steps_at_once_ = first.steps_at_once();
  place.make_again_ = [plan, open = context.open_device, log = context.log, device = *device,
                       kept = first.kept(),
                       memory = place.memory_](gpu_stream::place where) -> made_program {
    auto made = where == gpu_stream::place::cpu ? step_computer::make(plan)
                                                : make_on_device(plan, open, device, log);
    if (!made) return made.failure();
    (*made)->go_on_from(kept);
    (*made)->backend().use_pinned(memory);
    return std::unique_ptr<gpu_stream::step_program>(std::move(*made));
  };
  place.host_ = {.device = std::string(place.computer_->backend().name()),
                 .stream = {},
                 .place = context.place,
                 .log = context.log,
                 .health = nullptr};
  return place;
}

compute_actor compute_place::spawn(caf::actor_system& system, worker_actor worker, step_pace pace,
                                   std::shared_ptr<gpu_stream::device_health> health) {
  if (!make_again_) {
    const std::shared_ptr<step_computer> computer = std::move(computer_);
    if (has_threads_) announce_ = [computer] { computer->rouse(); };
    return node::spawn(system, host_.place, compute, std::move(worker), computer, pace);
  }
  host_.health = std::move(health);
  const auto first =
      std::make_shared<std::unique_ptr<gpu_stream::step_program>>(std::move(computer_));
  return node::spawn(system, host_.place, gpu_stream::gpu_host, compute_client(worker), first,
                     std::move(make_again_), host_);
}

} // namespace gradmesh::worker
