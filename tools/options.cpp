#include "tools/options.hpp"

#include "config/environment.hpp"

#include <iostream>

namespace gradmesh::tools {

exit_code with_options(verb_options options, const std::vector<std::string>& arguments,
                       const std::function<exit_code(const po::variables_map&)>& body) {
  options.named.add_options()("help,h", "print this help and exit");
  po::options_description hidden;
  po::positional_options_description positions;
  for (const auto& name : options.positional) {
    const bool takes_rest = options.repeated && name == options.positional.back();
    if (takes_rest)
      hidden.add_options()(name.c_str(), po::value<std::vector<std::string>>());
    else
      hidden.add_options()(name.c_str(), po::value<std::string>());
    positions.add(name.c_str(), takes_rest ? -1 : 1);
  }
  po::options_description all;
  all.add(options.named).add(hidden);

  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(positions).run(), values);
    if (values.count("help") > 0) {
      std::cout << "usage: " << options.usage << "\n\n"
                << options.description << "\n\n"
                << options.named;
      return exit_ok;
    }
    for (std::size_t i = 0; i < options.required; ++i)
      if (values.count(options.positional[i]) == 0)
        throw po::error("missing argument " + options.positional[i]);
    po::notify(values);
  } catch (const po::error& e) {
    std::cerr << "gradmesh: error: " << e.what() << "\nusage: " << options.usage
              << "\n(--help explains the options)\n";
    return exit_usage;
  }
  return body(values);
}

void add_set_option(po::options_description& options) {
  options.add_options()(
      "set", po::value<std::vector<std::string>>()->composing()->value_name("SECTION.KEY=VALUE"),
      "override an option of the file; may be repeated");
}

config::overrides overrides_of(const po::variables_map& values) {
  config::overrides over{.environment = config::environment_overrides(), .command_line = {}};
  if (values.count("set") > 0) over.command_line = values["set"].as<std::vector<std::string>>();
  return over;
}

exit_code report_failure(const std::string& verb, const error& why) {
  std::cerr << "gradmesh " << verb << ": error: " << why.text << "\n";
  return exit_code_of(why.code);
}

} // namespace gradmesh::tools
