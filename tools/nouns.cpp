#include "tools/nouns.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>

namespace gradmesh::tools {
namespace {

void list(std::ostream& out, const char* verb, std::span<const noun> nouns) {
  out << "usage:\n";
  for (const auto& n : nouns)
    out << "  gradmesh " << verb << ' ' << std::left << std::setw(18) << n.name << n.summary
        << '\n';
  out << "(gradmesh " << verb << " NOUN --help explains the options)\n";
}

} // namespace

exit_code run_noun(const char* verb, std::span<const noun> nouns,
                   const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    if (is_one_of(arguments.front(), {"--help", "-h"})) {
      list(std::cout, verb, nouns);
      return exit_ok;
    }
    for (const auto& n : nouns)
      if (arguments.front() == n.name) return n.run({arguments.begin() + 1, arguments.end()});
    usage_error(verb, "'" + arguments.front() + "' is not known");
  } else {
    usage_error(verb, "a noun is missing");
  }
  list(std::cerr, verb, nouns);
  return exit_usage;
}

exit_code usage_error(const std::string& verb, const std::string& text) {
  std::cerr << "gradmesh " << verb << ": error: " << text << "\n";
  return exit_usage;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> accepted) {
  return std::find(accepted.begin(), accepted.end(), text) != accepted.end();
}

} // namespace gradmesh::tools
