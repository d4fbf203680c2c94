#include "actors/learning/data/load.hpp"
#include "actors/replay/replay.hpp"
#include "tools/cache_folder.hpp"
#include "tools/command.hpp"
#include "tools/figures.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/record_files.hpp"
#include "tools/replay_view.hpp"

#include <nlohmann/json.hpp>

#include <iostream>

namespace gradmesh::tools {
namespace {

/// The job's training set, read as its data servers did.
result<learning::loaded_data> load_job_data(const config::job_config& job, env::disk& disk) {
  auto source = job::data_source_of(job);
  if (source.cache.empty()) source.cache = cache_folder();
  auto loaded = learning::load_data(source, disk, env::run_command);
  if (loaded) return loaded;
  return error{loaded.failure().code,
               "the data that the job was trained on is needed, as [data] of its job file names "
               "it: " +
                   loaded.failure().text};
}

void print(const replay::replayed& done, const config::job_config& job, bool as_json) {
  if (as_json) {
    const nlohmann::ordered_json report{{"job", job.job.name},
                                        {"pushes", done.pushes},
                                        {"workers", done.workers},
                                        {"shards", done.shards},
                                        {"parameters_sha256", done.parameters_sha256}};
    std::cout << report.dump() << "\n";
    return;
  }
  std::cout << job.job.name << ": " << grouped(done.pushes) << " pushes of " << done.workers
            << " worker(s) done again on " << done.shards
            << " shard(s); every gradient and every exported value is that of the run\n"
            << "sha256  " << done.parameters_sha256 << "\n";
}

exit_code replay_files(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("replay", "-o '" + form + "' is neither table nor json");
  const auto disk = env::make_disk();
  const auto files = record_files::read(values["FILE"].as<std::vector<std::string>>(), *disk);
  if (!files) return report_failure("replay", files.failure());
  const auto opened = record::open_logs(files->logs());
  if (!opened) return report_failure("replay", opened.failure());
  const auto& job = opened->front().job.config;
  const auto data = load_job_data(job, *disk);
  if (!data) return report_failure("replay", data.failure());
  replay_view view(stderr);
  const auto done =
      replay::replay(files->logs(), data->data.train,
                     [&](std::uint64_t pushes, std::uint64_t total) { view.show(pushes, total); });
  if (!done) {
    (void)report_failure("replay", done.failure());
    return exit_failed;
  }
  print(*done, job, form == "json");
  return exit_ok;
}

} // namespace

exit_code replay_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh replay FILE... [options]",
      .description = "Does a job again by what its shards wrote down (job.record = FILE): computes "
                     "every gradient\non the values that the worker had read, applies them in the "
                     "order of the run, and prints\nthe SHA-256 of the parameters, which is that "
                     "of the run's report. Needs the job's data, and\na processor whose arithmetic "
                     "is the same. FILE as in `gradmesh verify`.",
      .positional = {"FILE"},
      .required = 1};
  options.repeated = true;
  options.named.add_options()("output,o", po::value<std::string>()->default_value("table"),
                              "table or json");
  return with_options(std::move(options), arguments, replay_files);
}

} // namespace gradmesh::tools
