#include "tools/command.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/record_files.hpp"
#include "tools/verify_report.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

exit_code verify(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("verify", "-o '" + form + "' is neither table nor json");
  const auto disk = env::make_disk();
  const auto files = record_files::read(values["FILE"].as<std::vector<std::string>>(), *disk);
  if (!files) return report_failure("verify", files.failure());
  const auto found = record::verify(files->logs());
  if (!found) {
    // A broken contract is a failure of the job, not a refusal of the program.
    (void)report_failure("verify", found.failure());
    return exit_failed;
  }
  std::cout << (form == "json" ? verify_json(*found, files->bytes())
                               : verify_text(*found, files->bytes()));
  return exit_ok;
}

} // namespace

exit_code verify_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh verify FILE... [options]",
      .description = "Checks what the shards of a job wrote down (job.record = FILE) against what "
                     "its strategy\npromises: what each read saw, that each push was applied once "
                     "and whole. FILE stands for\nFILE.0, FILE.1, ...; logs from several machines "
                     "are named one by one. Exit status 1, with\nworker, shard and clock, at the "
                     "first promise that was not kept, or a log that was changed.",
      .positional = {"FILE"},
      .required = 1};
  options.repeated = true;
  options.named.add_options()("output,o", po::value<std::string>()->default_value("table"),
                              "table or json");
  return with_options(std::move(options), arguments, verify);
}

} // namespace gradmesh::tools
