#include "tools/command.hpp"
#include "tools/config_file.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

exit_code check(const std::vector<std::string>& arguments) {
  // There can be as many files as there are arguments.
  std::vector<std::string> files;
  for (std::size_t i = 0; i < std::max<std::size_t>(arguments.size(), 1); ++i)
    files.push_back(i == 0 ? "FILE" : "FILE" + std::to_string(i + 1));
  verb_options options{.usage = "gradmesh config check FILE... [--set SECTION.KEY=VALUE]",
                       .description = "Checks job files and node files; prints all that is wrong "
                                      "with them, a line each.",
                       .positional = files,
                       .required = 1};
  add_set_option(options.named);
  return with_options(std::move(options), arguments, [&](const po::variables_map& values) {
    const auto over = overrides_of(values);
    exit_code outcome = exit_ok;
    for (const auto& file : files) {
      if (values.count(file) == 0) break;
      const auto path = values[file].as<std::string>();
      const auto checked = load_config_file(path, over);
      if (checked.outcome == exit_ok)
        std::cout << path << ": ok (" << checked.kind << ")\n";
      else
        std::cerr << to_string(checked.diagnostics);
      if (outcome == exit_ok) outcome = checked.outcome;
    }
    return outcome;
  });
}

exit_code dump(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh config dump [FILE] [--origin] [--set SECTION.KEY=VALUE]",
                       .description =
                           "Prints every option with the value that counts: of the "
                           "command line, the environment,\nthe file, or the default. Without a "
                           "file: of a job.",
                       .positional = {"FILE"}};
  options.named.add_options()("origin", po::bool_switch(), "say where each value comes from");
  add_set_option(options.named);
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    const auto over = overrides_of(values);
    const auto loaded = values.count("FILE") > 0
                            ? load_config_file(values["FILE"].as<std::string>(), over)
                            : parse_config_file("", "defaults", over);
    if (loaded.outcome == exit_ok)
      std::cout << config::dump_ini(loaded.options, values["origin"].as<bool>());
    else
      std::cerr << to_string(loaded.diagnostics);
    return loaded.outcome;
  });
}

exit_code sample(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh config sample [job|coordinator|server|worker|data-server]",
      .description =
          "Prints a commented file with every option of a job (the default) or of a node of "
          "this role.",
      .positional = {"KIND"}};
  return with_options(std::move(options), arguments, [](const po::variables_map& values) {
    const auto kind = values.count("KIND") > 0 ? values["KIND"].as<std::string>() : "job";
    const auto text = sample_config(kind);
    if (!text)
      return usage_error("config", "'" + kind +
                                       "' is not one of job, coordinator, server, worker, "
                                       "data-server");
    std::cout << *text;
    return exit_ok;
  });
}

constexpr noun nouns[] = {
    {"check", "FILE... says all that is wrong with job and node files", check},
    {"dump", "[FILE] prints every option with the value that counts", dump},
    {"sample", "[KIND] prints a commented file: job, coordinator, server, worker, data-server",
     sample},
};

} // namespace

exit_code config_command(const std::vector<std::string>& arguments) {
  return run_noun("config", nouns, arguments);
}

} // namespace gradmesh::tools
