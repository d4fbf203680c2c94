#include "actors/job/job_plan.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::job {
piece_range pieces_of_worker(const job_plan& plan, std::uint32_t rank) {
  const auto workers = static_cast<std::uint64_t>(plan.workers.size());
  return {static_cast<std::uint32_t>(rank * std::uint64_t{plan.pieces} / workers),
          static_cast<std::uint32_t>((rank + 1) * std::uint64_t{plan.pieces} / workers)};
}

std::uint64_t examples_of_step(const job_plan& plan, std::uint64_t step) {
  const std::uint64_t batch = plan.config.job.batch_size;
  return std::min(batch, plan.examples - step % plan.steps_per_epoch * batch);
}

std::uint64_t examples_before(const job_plan& plan, std::uint64_t step) {
  return step / plan.steps_per_epoch * plan.examples +
         step % plan.steps_per_epoch * plan.config.job.batch_size;
}

std::uint64_t examples_of_piece(const job_plan& plan, std::uint64_t piece) {
  const auto size = examples_of_step(plan, piece / plan.pieces);
  const auto number = piece % plan.pieces;
  return size * (number + 1) / plan.pieces - size * number / plan.pieces;
}

std::vector<place> data_servers_of_worker(const job_plan& plan, std::uint32_t rank) {
  if (plan.partitioned()) return {plan.data_servers[rank]};
  auto ordered = plan.data_servers;
  std::rotate(ordered.begin(), ordered.begin() + static_cast<std::ptrdiff_t>(rank % ordered.size()),
              ordered.end());
  return ordered;
}

mesh::draft<schema::JobPlan> encode(const job_plan& plan) {
  mesh::draft<schema::JobPlan> out;
  out->setJobId(plan.job_id);
  out->setConfig(config::dump_job(plan.config));
  out->setSparse(plan.shape.kind == learning::layout::sparse);
  out->setFeatures(plan.shape.features);
  out->setClasses(plan.shape.classes);
  auto tables = out->initTables(static_cast<unsigned>(plan.tables.size()));
  for (unsigned i = 0; i < tables.size(); ++i) {
    const auto& table = plan.tables[i];
    tables[i].setName(table.name);
    tables[i].setSparse(table.kind == learning::table_kind::sparse);
    tables[i].setWidth(table.width);
    tables[i].setUniformLimit(table.init == learning::initializer::uniform ? table.init_limit : 0);
  }
  out->setPartitions(plan.partitions);
  encode(plan.layout, plan.job_id, out->initLayout());
  encode(plan.workers, out->initWorkers(static_cast<unsigned>(plan.workers.size())));
  encode(plan.data_servers, out->initDataServers(static_cast<unsigned>(plan.data_servers.size())));
  out->setPieces(plan.pieces);
  out->setStepsPerEpoch(plan.steps_per_epoch);
  out->setSteps(plan.steps);
  out->setFirstStep(plan.first_step);
  out->setRevision(plan.revision);
  out->setBegins(plan.begins);
  out->setExamples(plan.examples);
  encode(plan.done, out->initDone());
  return out;
}

result<job_plan> decode(schema::JobPlan::Reader in) {
  job_plan plan;
  plan.job_id = in.getJobId();
  auto config = parse_config(mesh::text(in.getConfig()));
  if (!config) return config.failure();
  plan.config = std::move(*config);
  plan.shape = {in.getSparse() ? learning::layout::sparse : learning::layout::dense,
                in.getFeatures(), in.getClasses()};
  for (const auto table : in.getTables()) {
    const float limit = table.getUniformLimit();
    if (!std::isfinite(limit) || limit < 0)
      return error{errc::malformed_message, "table '" + mesh::text(table.getName()) +
                                                "' has an initial limit of " +
                                                std::to_string(limit)};
    plan.tables.push_back(
        {mesh::text(table.getName()),
         table.getSparse() ? learning::table_kind::sparse : learning::table_kind::dense,
         table.getWidth(),
         limit > 0 ? learning::initializer::uniform : learning::initializer::zeros, limit});
  }
  if (auto checked = parameters::check_tables(plan.tables); !checked) return checked.failure();
  plan.partitions = in.getPartitions();
  if (plan.partitions == 0 || plan.partitions > parameters::partitions_max)
    return error{errc::malformed_message,
                 "a job plan has " + std::to_string(plan.partitions) + " partitions"};
  auto layout = decode(in.getLayout());
  if (!layout) return layout.failure();
  auto workers = decode(in.getWorkers(), mesh::service_kind::worker, "worker of a job plan");
  if (!workers) return workers.failure();
  auto servers =
      decode(in.getDataServers(),
             plan.partitioned() ? mesh::service_kind::local_data : mesh::service_kind::data_server,
             "data server of a job plan");
  if (!servers) return servers.failure();
  if (plan.partitioned() && servers->size() != workers->size())
    return error{errc::malformed_message,
                 "a job plan with partitioned data has " + std::to_string(workers->size()) +
                     " workers and data for " + std::to_string(servers->size())};
  plan.layout = std::move(*layout);
  plan.workers = std::move(*workers);
  plan.data_servers = std::move(*servers);
  plan.pieces = in.getPieces();
  plan.steps_per_epoch = in.getStepsPerEpoch();
  plan.steps = in.getSteps();
  plan.first_step = in.getFirstStep();
  plan.revision = in.getRevision();
  plan.begins = in.getBegins();
  plan.examples = in.getExamples();
  auto done = decode(in.getDone());
  if (!done) return done.failure();
  plan.done = std::move(*done);
  if ((plan.by_rank() && plan.pieces < plan.workers.size()) || plan.pieces == 0 ||
      plan.steps_per_epoch == 0 || plan.steps == 0)
    return error{errc::malformed_message, "a job plan has " + std::to_string(plan.pieces) +
                                              " pieces for " + std::to_string(plan.workers.size()) +
                                              " workers and " + std::to_string(plan.steps) +
                                              " steps"};
  if (plan.examples == 0) return error{errc::malformed_message, "a job plan has no examples"};
  if (plan.first_step > plan.steps)
    return error{errc::malformed_message, "a job plan of " + std::to_string(plan.steps) +
                                              " steps begins with step " +
                                              std::to_string(plan.first_step)};
  if (plan.backup_workers() >= plan.workers.size())
    return error{errc::malformed_message,
                 "a job plan has " + std::to_string(plan.backup_workers()) +
                     " backup workers among " + std::to_string(plan.workers.size()) + " workers"};
  return plan;
}

std::size_t index_of(const std::vector<place>& places, const mesh::address& who) {
  const auto found =
      std::find_if(places.begin(), places.end(), [&](const place& p) { return p.where == who; });
  return static_cast<std::size_t>(found - places.begin());
}

result<parameters::partition_map> make_partition_map(const job_plan& plan) {
  const auto shards = static_cast<std::uint32_t>(plan.layout.size());
  return parameters::partition_map::make(learning::dense_size(plan.tables),
                                         parameters::contiguous_owners(plan.partitions, shards),
                                         shards);
}

learning::data_source data_source_of(const config::job_config& config) {
  const auto& data = config.data;
  return {.format = std::string(config::to_string(data.format)),
          .train = data.train,
          .test = data.test,
          .train_labels = data.train_labels,
          .test_labels = data.test_labels,
          .test_last = data.test_last,
          .test_fraction = data.test_fraction,
          .seed = config.job.seed,
          .features = data.features,
          .classes = data.classes,
          .class_names = {},
          .label_column = data.label_column,
          .header = data.header,
          .scale = static_cast<float>(data.scale),
          .cache = data.cache};
}

learning::model_options model_options_of(const config::job_config& config) {
  return {.kind = std::string(config::to_string(config.model.type)),
          .hidden = config.model.hidden,
          .l2 = static_cast<float>(config.model.l2)};
}

bool job_plan::adds_own_writes(std::uint32_t rank) const {
  const auto& optimizer = config.optimizer;
  if (config.job.strategy != config::strategy::ssp || sums_steps() || optimizer.type != "sgd" ||
      !optimizer.tables.empty() || optimizer.staleness_scaling != config::staleness_scaling::none)
    return false;
  const auto own = pieces_of_worker(*this, rank);
  return own.last - own.first == 1;
}

parameters::optimizer_options optimizer_options_of(const job_plan& plan) {
  const auto& optimizer = plan.config.optimizer;
  parameters::optimizer_options options{.kind = optimizer.type,
                                        .learning_rate =
                                            static_cast<float>(optimizer.learning_rate),
                                        .momentum = static_cast<float>(optimizer.momentum),
                                        .beta1 = static_cast<float>(optimizer.beta1),
                                        .beta2 = static_cast<float>(optimizer.beta2),
                                        .epsilon = static_cast<float>(optimizer.epsilon),
                                        .rho = static_cast<float>(optimizer.rho),
                                        .weight_decay = static_cast<float>(optimizer.weight_decay),
                                        .ftrl_beta = static_cast<float>(optimizer.ftrl_beta),
                                        .ftrl_l1 = static_cast<float>(optimizer.ftrl_l1),
                                        .ftrl_l2 = static_cast<float>(optimizer.ftrl_l2),
                                        .examples = static_cast<float>(plan.examples),
                                        .seed = plan.config.job.seed};
  for (const auto& own : optimizer.tables)
    options.tables.push_back({own.table, own.rule});
  return options;
}

parameters::rate_schedule rate_schedule_of(const config::job_config& config) {
  const auto decay_of = [](config::rate_decay decay) {
    switch (decay) {
    case config::rate_decay::constant:
      return parameters::rate_decay::constant;
    case config::rate_decay::step:
      return parameters::rate_decay::step;
    case config::rate_decay::cosine:
      return parameters::rate_decay::cosine;
    case config::rate_decay::inverse_sqrt:
      return parameters::rate_decay::inverse_sqrt;
    }
    return parameters::rate_decay::constant;
  };
  const auto& optimizer = config.optimizer;
  return {.learning_rate = optimizer.learning_rate,
          .decay = decay_of(optimizer.schedule),
          .warmup_steps = optimizer.warmup_steps,
          .decay_steps = optimizer.decay_steps,
          .decay_factor = optimizer.decay_factor,
          .min_rate = optimizer.min_rate};
}

parameters::transfer_format transfer_format_of(config::value_format format) {
  switch (format) {
  case config::value_format::float32:
    return parameters::transfer_format::float32;
  case config::value_format::float16:
    return parameters::transfer_format::float16;
  case config::value_format::bfloat16:
    return parameters::transfer_format::bfloat16;
  case config::value_format::int8:
    return parameters::transfer_format::int8;
  }
  return parameters::transfer_format::float32;
}

result<config::job_config> parse_config(const std::string& text) {
  auto loaded = config::parse_job(text, "job");
  if (loaded) return std::move(*loaded.value);
  return error{errc::invalid_config, to_string(loaded.diagnostics)};
}

} // namespace gradmesh::job
