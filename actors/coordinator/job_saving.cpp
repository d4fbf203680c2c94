/// How a job collects its parameters from the shards and writes them as a model.

#include "actors/coordinator/job_run.hpp"
#include "actors/defaults.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/store/fingerprint.hpp"
#include "actors/store/model_file.hpp"
#include "actors/version.hpp"

#include <fmt/format.h>

namespace gradmesh::coordinator {

void job_run::save(env::time_point now) {
  enter(phase::SAVING, now);
  exports_asked_ = 0;
  exporting_.clear();
  exported_.clear();
  // Not before all hosts know which shards are theirs.
  if (round_.taken()) export_more(now);
}

void job_run::export_more(env::time_point now) {
  const auto map = job::make_partition_map(plan_);
  if (!map) return fail(map.failure(), "", now);
  while (exports_asked_ < plan_.partitions &&
         exporting_.size() < defaults::coordinator::exports_in_flight) {
    mesh::draft<schema::ExportPartition> wanted;
    wanted->setJobId(request_.id);
    wanted->setPartition(exports_asked_);
    exporting_.insert(exports_asked_);
    requests_.ask(plan_.layout.primary(map->owner(exports_asked_++)).where,
                  std::make_shared<const mesh::draft<schema::ExportPartition>>(std::move(wanted)),
                  now);
  }
}

result<void> job_run::on_partition(const message<schema::PartitionContent>& content,
                                   env::time_point now) {
  if (phase_ != phase::SAVING || (*content).getJobId() != request_.id) return {};
  auto map = job::make_partition_map(plan_);
  if (!map) return map.failure();
  const parameters::body_layout layout(plan_.tables);
  auto partition = job::decode_partition(content, *map, layout.row_widths());
  if (!partition) {
    fail(partition.failure(), name_of(content.sender()), now);
    return {};
  }
  if (content.sender() != plan_.layout.primary(map->owner(partition->partition)).where ||
      exporting_.erase(partition->partition) == 0)
    return {};
  (void)requests_.take(content.header());
  wait_until_ = now + plan_.config.job.request_timeout;
  exported_.push_back(std::move(*partition));
  if (exported_.size() < plan_.partitions) {
    export_more(now);
    return {};
  }
  if (auto made = make_model(); !made)
    fail(made.failure(), context_->node_name, now);
  else
    write_model(now);
  return {};
}

result<void> job_run::make_model() {
  const auto& config = plan_.config;
  auto map = job::make_partition_map(plan_);
  if (!map) return map.failure();
  const auto source = job::data_source_of(config);
  store::model_content model{.created_by = std::string("gradmesh ") + version,
                             .job_name = config.job.name,
                             .model_kind = job::model_options_of(config).kind,
                             .hidden = config.model.hidden,
                             .l2 = static_cast<float>(config.model.l2),
                             .seed = config.job.seed,
                             .shape = plan_.shape,
                             .class_names = report_.data.class_names,
                             .data_format = source.format,
                             .data_scale = fmt::format("{}", source.scale),
                             .feature_options = {},
                             .tables = plan_.tables,
                             .dense = {},
                             .sparse = {}};
  if (auto assembled = store::assemble_model(exported_, *map, model); !assembled) return assembled;
  exported_.clear();
  report_.parameters = model.dense.size();
  for (const auto& table : model.sparse)
    report_.parameters += table.rows.size();
  auto sha256 = store::parameters_sha256(model);
  if (!sha256) return sha256.failure();
  report_.parameters_sha256 = *sha256;
  if (config.job.model_file.empty()) return {};
  auto bytes = store::write_model(model);
  if (!bytes) return bytes.failure();
  unsaved_ = {.bytes = *std::move(bytes)};
  return {};
}

void job_run::write_model(env::time_point now) {
  const auto& bytes = unsaved_.bytes;
  if (bytes.empty()) return finish(phase::DONE, now);
  const auto& path = plan_.config.job.model_file;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto written = context_->disk->write(path, text); !written) {
    const auto& wait = plan_.config.job.wait;
    const auto why = "the model is trained but cannot be saved: " + written.failure().text +
                     " (job.model_file says where)";
    if (!unsaved_.since) {
      unsaved_.since = now;
      context_->log(env::severity::warning, why);
    }
    // Somebody may make room for it. A large one takes its time, in which nobody else is heard.
    unsaved_.again = now + defaults::coordinator::repeat_interval;
    if (now - *unsaved_.since >= wait)
      return fail({written.failure().code, why}, context_->node_name, now);
    report_.text = why + "; tries again, for " + std::to_string(wait.count()) + " s (job.wait)";
    return;
  }
  report_.model_file = path;
  unsaved_ = {};
  finish(phase::DONE, now);
}

} // namespace gradmesh::coordinator
