#include "tools/follow.hpp"

#include "tools/job_follower.hpp"
#include "tools/options.hpp"

namespace gradmesh::tools {

void add_follow_options(po::options_description& options) {
  options.add_options()("output,o",
                        po::value<std::string>()->default_value("table")->value_name("table|json"),
                        "form of the summary on standard output")(
      "report", po::value<std::string>()->default_value("")->value_name("FILE.json"),
      "write the summary to this file too, as JSON");
}

result<follow_options> parse_follow_options(const std::string& verb,
                                            const po::variables_map& values) {
  const auto& form = values["output"].as<std::string>();
  if (form != "table" && form != "json")
    return error{errc::invalid_argument, "--output: '" + form + "' is neither table nor json"};
  follow_options options{verb, form == "json", values["report"].as<std::string>()};
  // Better now than after an hour of training.
  if (!options.report_file.empty())
    if (auto written = env::make_disk()->write(options.report_file, ""); !written)
      return error{errc::io_failed, "--report: " + written.failure().text};
  return options;
}

void add_members_options(po::options_description& options) {
  options.add_options()("servers", po::value<std::uint32_t>()->default_value(1)->value_name("N"),
                        "wait for at least so many server shards")(
      "workers", po::value<std::uint32_t>()->default_value(1)->value_name("N"),
      "wait for at least so many workers")(
      "data-servers", po::value<std::uint32_t>()->default_value(1)->value_name("N"),
      "wait for at least so many data servers")(
      "wait", po::value<unsigned>()->default_value(60)->value_name("SECONDS"),
      "how long to wait for them");
}

void add_resume_option(po::options_description& options) {
  options.add_options()("resume", po::value<std::string>()->default_value("")->value_name("FOLDER"),
                        "go on from the newest whole checkpoint in FOLDER, on the coordinator's "
                        "machine");
}

exit_code follow_job(mesh_client& client, std::uint64_t job_id, const follow_options& options,
                     local_mesh* local) {
  return job_follower(client, job_id, options, local).run();
}

} // namespace gradmesh::tools
