/// `gradmesh lab`: the checks of each method, run here and now.

#include "tools/command.hpp"
#include "tools/lab/report.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace gradmesh::tools {
namespace {

using lab::method;
using lab::method_report;

std::string method_names() {
  std::string names;
  for (const auto& m : lab::all_methods())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", m.name);
  return names;
}

std::string rule_names() {
  std::string names;
  for (const auto& r : all_rules())
    if (r.of_method) names += fmt::format("{}{}", names.empty() ? "" : ", ", r.name);
  return names;
}

std::string list() {
  table methods;
  methods.columns = {{"METHOD"}, {"RULES"}};
  for (const auto& m : lab::all_methods()) {
    std::string rules;
    for (const auto covered : m.covers)
      rules += fmt::format("{}{}", rules.empty() ? "" : ",", to_string(covered));
    methods.rows.push_back({m.name, rules});
  }
  auto text = join_lines(render(methods)) + "\n";
  for (const auto& m : lab::all_methods())
    text += fmt::format("{:<17}{}\n", m.name, m.what);
  text += "\nrules that --break breaks:\n";
  for (const auto& r : all_rules())
    if (r.of_method) text += fmt::format("{:<17}{}\n", r.name, r.broken);
  return text;
}

exit_code examine(const po::variables_map& values) {
  if (values["list"].as<bool>()) {
    std::cout << list();
    return exit_ok;
  }
  if (!values.contains("METHOD"))
    return usage_error("lab", "name a method, or all; there are " + method_names());
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("lab", "-o '" + form + "' is neither table nor json");
  const auto name = values["METHOD"].as<std::string>();
  std::vector<const method*> chosen;
  for (const auto& m : lab::all_methods())
    if (name == "all" || name == m.name) chosen.push_back(&m);
  if (chosen.empty())
    return usage_error("lab",
                       "there is no method '" + name + "'; there are all, " + method_names());
  rule_set rules;
  if (values.contains("break")) {
    const auto broken = values["break"].as<std::string>();
    const auto known = rule_named(broken);
    if (!known)
      return usage_error("lab", "there is no rule '" + broken + "'; there are " + rule_names());
    const auto covered = [&](const method* m) {
      return std::ranges::find(m->covers, *known) != m->covers.end();
    };
    if (std::ranges::none_of(chosen, covered))
      return usage_error("lab", "the checks of '" + name + "' do not depend on the rule '" +
                                    broken + "'; --list says which methods do");
    rules.break_rule(*known);
  }
  std::vector<method_report> reports;
  for (const auto* m : chosen) {
    std::cerr << "running " << m->name << " ...\n";
    reports.push_back(lab::examine(*m, rules));
  }
  std::cout << (form == "json" ? lab::to_json(reports) : lab::to_table(reports));
  std::cerr << lab::failures_text(reports);
  return std::ranges::all_of(reports, &method_report::passed) ? exit_ok : exit_failed;
}

} // namespace

exit_code lab_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh lab METHOD|all [-o table|json] [--break RULE]",
      .description = "Runs the checks of a method on small data, with the real actors in virtual "
                     "time, and prints what\n"
                     "was found and what it has to be. Exit status 1 if a check fails.\n"
                     "With --break, nodes break a rule on which a method's guarantee stands, and "
                     "its checks have to\n"
                     "fail: this is how you see that they look at something.",
      .positional = {"METHOD"}};
  options.named.add_options()("output,o", po::value<std::string>()->default_value("table"),
                              "table or json")(
      "break", po::value<std::string>()->value_name("RULE"), "a rule that the nodes break")(
      "list", po::bool_switch(), "the methods and rules that there are");
  return with_options(std::move(options), arguments, examine);
}

} // namespace gradmesh::tools
