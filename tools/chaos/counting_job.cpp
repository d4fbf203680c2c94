#include "tools/chaos/counting_job.hpp"

#include "tools/lab/counting.hpp"
#include "tools/lab/lab_data.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace gradmesh::tools::chaos {
namespace {

/// Beyond it rounding blurs the counts.
constexpr std::uint32_t epochs_max = 200;

error wrong(const std::string& what) {
  return {errc::invalid_config, "the job 'counting' does not count right with " + what +
                                    "; see config/chaos.ini, or give the job another name"};
}

result<void> check_options(const config::job_config& job) {
  if (job.data.format != config::data_format::libsvm || job.data.classes != 2)
    return wrong("other data than LIBSVM of two classes");
  if (job.model.type != config::model_kind::softmax || job.model.l2 != 0)
    return wrong("another model than softmax without l2");
  const auto& optimizer = job.optimizer;
  if (optimizer.type != "sgd" || !optimizer.tables.empty() ||
      optimizer.schedule != config::rate_decay::constant || optimizer.warmup_steps != 0 ||
      optimizer.learning_rate != lab::counted_rate)
    return wrong("another optimizer than sgd at a constant rate of 0.001");
  if (job.job.batch_size != lab::counted_batch || job.data.features == 0 ||
      job.data.features % lab::counted_batch != 0)
    return wrong("another job.batch_size than 64, or data.features that are no multiple of it");
  if (job.job.epochs > epochs_max || job.job.steps != 0)
    return wrong("more than 200 epochs, or a number of steps");
  if (job.job.svrg_epochs != 0 || job.job.backup_workers != 0 || job.job.threads > 1)
    return wrong("job.svrg_epochs, job.backup_workers or job.threads");
  return {};
}

} // namespace

bool is_counting(const config::job_config& job) {
  return job.job.name == "counting";
}

result<void> write_counting_data(env::disk& disk, const config::job_config& job) {
  if (auto checked = check_options(job); !checked) return checked;
  const auto folder = std::filesystem::path(job.data.train).parent_path().string();
  if (!folder.empty())
    if (auto made = disk.create_directories(folder); !made) return made;
  return disk.write(job.data.train, lab::file_text(lab::counted_examples(job.data.features)));
}

count_result count(const store::model_content& model, const config::job_config& job) {
  const auto counts = lab::applied_counts(model);
  const double expected = job.job.epochs;
  count_result found{counts.size(), 0, 0, lab::worst_count(counts, expected)};
  for (const auto applied : counts) {
    const auto rounded = std::round(applied);
    found.lost += rounded < expected ? 1 : 0;
    found.doubled += rounded > expected ? 1 : 0;
  }
  return found;
}

} // namespace gradmesh::tools::chaos
