#include "tools/checkpoint_report.hpp"
#include "tools/command.hpp"
#include "tools/figures.hpp"
#include "tools/follow.hpp"
#include "tools/mesh_access.hpp"
#include "tools/mesh_client.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <fmt/format.h>

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

std::string created_text(schema::CheckpointCreated::Reader done) {
  return fmt::format(
      "checkpoint {} of job {} at step {} of {} in {}: {}, of which {} were written, "
      "in {:.2f} s; pushes waited {:.0f} ms\n",
      done.getNumber(), done.getJobId(), done.getStep(), done.getSteps(),
      mesh::text(done.getFolder()), short_bytes(static_cast<double>(done.getBytes())),
      short_bytes(static_cast<double>(done.getWrittenBytes())), done.getSeconds(),
      done.getHeldSeconds() * 1000);
}

exit_code create(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh checkpoint create --coordinator HOST:PORT [options]",
      .description = "Has a checkpoint of the running job written now, in its checkpoint.folder on "
                     "the\ncoordinator's machine, and waits for it. Training goes on meanwhile.",
      .positional = {}};
  add_access_options(options.named);
  options.named.add_options()("wait",
                              po::value<unsigned>()->default_value(600)->value_name("SECONDS"),
                              "how long to wait for it");
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    const auto access = access_of(values);
    if (!access) {
      (void)report_failure("checkpoint", access.failure());
      return exit_usage;
    }
    auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), *access);
    if (!client) return report_failure("checkpoint", client.failure());
    const auto done =
        (*client)->create_checkpoint(std::chrono::seconds(values["wait"].as<unsigned>()));
    if (!done) return report_failure("checkpoint", done.failure());
    std::cout << created_text(**done);
    return exit_ok;
  });
}

exit_code restore(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh checkpoint restore FOLDER --coordinator HOST:PORT [options]",
      .description =
          "Submits the job that the checkpoints in FOLDER, on the coordinator's machine, are of, "
          "and\nfollows it to its end. It goes on where the newest checkpoint is that is whole; "
          "the mesh may\nhave other numbers of servers and workers than the one that wrote it. "
          "With other options:\n`gradmesh submit JOB.ini --resume FOLDER`.",
      .positional = {"FOLDER"},
      .required = 1};
  add_access_options(options.named);
  options.named.add_options()("number",
                              po::value<std::uint64_t>()->default_value(0)->value_name("N"),
                              "this checkpoint; 0: the newest");
  add_members_options(options.named);
  add_follow_options(options.named);
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    const auto follow = parse_follow_options("checkpoint", values);
    const auto access = access_of(values);
    if (!follow || !access) {
      (void)report_failure("checkpoint", !follow ? follow.failure() : access.failure());
      return exit_usage;
    }
    catch_interrupts();
    auto client = mesh_client::connect(env::real_environment(env::no_log(), {}), *access);
    if (!client) return report_failure("checkpoint", client.failure());
    const auto id =
        (*client)->submit({.config = {},
                           .min_servers = values["servers"].as<std::uint32_t>(),
                           .min_workers = values["workers"].as<std::uint32_t>(),
                           .min_data_servers = values["data-servers"].as<std::uint32_t>(),
                           .wait = std::chrono::seconds(values["wait"].as<unsigned>()),
                           .resume_from = values["FOLDER"].as<std::string>(),
                           .resume_number = values["number"].as<std::uint64_t>()});
    if (!id) return report_failure("checkpoint", id.failure());
    return follow_job(**client, *id, *follow, nullptr);
  });
}

constexpr noun nouns[] = {
    {"create", "has one of the running job written", create},
    {"restore", "goes on with a job from one", restore},
    {"list", "says which checkpoints there are", list},
    {"verify", "compares all that was written with its checksums", verify},
};

} // namespace

exit_code checkpoint_command(const std::vector<std::string>& arguments) {
  return run_noun("checkpoint", nouns, arguments);
}

} // namespace gradmesh::tools
