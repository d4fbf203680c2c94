#include "tools/checkpoint_report.hpp"
#include "tools/command.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <chrono>
#include <iostream>

namespace gradmesh::tools {
namespace {

std::int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// The folder itself, if it is that of a job, else those of the jobs in it.
result<std::vector<store::checkpoint_store>> stores_in(const std::string& folder,
                                                       const std::shared_ptr<env::disk>& disk) {
  // Of the folder's listing, so that one that is missing is named.
  const auto folders = disk->list_folders(folder);
  if (!folders) return folders.failure();
  const auto has_checkpoints = [](const store::checkpoint_store& store) {
    const auto numbers = store.numbers();
    return numbers && !numbers->empty();
  };
  std::vector<store::checkpoint_store> stores{{disk, folder}};
  if (has_checkpoints(stores.front())) return stores;
  stores.clear();
  for (const auto& name : *folders)
    if (store::checkpoint_store store(disk, folder + "/" + name); has_checkpoints(store))
      stores.push_back(std::move(store));
  if (stores.empty())
    return error{errc::not_found, "there is no checkpoint in '" + folder +
                                      "': it holds no folder like 000001, and neither do those in "
                                      "it"};
  return stores;
}

exit_code report_damage(const std::string& form, const po::variables_map& values,
                        store::check_depth depth) {
  const auto stores =
      stores_in(values["FOLDER"].as<std::string>(), std::shared_ptr(env::make_disk()));
  if (!stores) return report_failure("checkpoint", stores.failure());
  bool damage = false;
  for (const auto& store : *stores) {
    const auto survey = survey_checkpoints(store, depth);
    if (!survey) return report_failure("checkpoint", survey.failure());
    std::cout << (form == "json" ? survey_json(*survey, now_ms()) : survey_text(*survey, now_ms()));
    damage = damage || survey->any_damage();
  }
  return damage && depth == store::check_depth::chunks ? exit_failed : exit_ok;
}

exit_code show_chunks(const std::string& form, const po::variables_map& values) {
  const store::checkpoint_store store(env::make_disk(), values["FOLDER"].as<std::string>());
  const auto manifest = store.manifest(values["chunks"].as<std::uint64_t>());
  if (!manifest) return report_failure("checkpoint", manifest.failure());
  std::cout << (form == "json" ? chunks_json(*manifest) : chunks_text(*manifest));
  return exit_ok;
}

exit_code run(const po::variables_map& values, store::check_depth depth) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("checkpoint", "-o '" + form + "' is neither table nor json");
  return values.count("chunks") > 0 ? show_chunks(form, values)
                                    : report_damage(form, values, depth);
}

void add_output_option(verb_options& options) {
  options.named.add_options()("output,o", po::value<std::string>()->default_value("table"),
                              "table or json");
}

exit_code list(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh checkpoint list FOLDER [options]",
      .description =
          "Lists the checkpoints of a job, or of the jobs in FOLDER: how far, how large, "
          "how old, how much\nof each lies in files of older ones (SHARED). Looks "
          "whether the files are there and as long as\nthey were written.",
      .positional = {"FOLDER"},
      .required = 1};
  add_output_option(options);
  options.named.add_options()("chunks", po::value<std::uint64_t>()->value_name("NUMBER"),
                              "the chunks of this checkpoint, instead");
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    return run(values, store::check_depth::files);
  });
}

exit_code verify(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh checkpoint verify FOLDER [options]",
      .description = "Reads all checkpoints of a job, or of the jobs in FOLDER, and compares every "
                     "chunk with its\nchecksum. Names damage by file and place; exit status 1 if "
                     "there is any.",
      .positional = {"FOLDER"},
      .required = 1};
  add_output_option(options);
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    return run(values, store::check_depth::chunks);
  });
}

constexpr noun nouns[] = {
    {"list", "says which checkpoints there are", list},
    {"verify", "compares all that was written with its checksums", verify},
};

} // namespace

exit_code checkpoint_command(const std::vector<std::string>& arguments) {
  return run_noun("checkpoint", nouns, arguments);
}

} // namespace gradmesh::tools
