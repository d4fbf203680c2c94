#include "config/rule_names.hpp"

#include "config/diagnostic.hpp"
#include "config/ini_file.hpp"
#include "config/suggestion.hpp"

#include <algorithm>

namespace gradmesh::config {

namespace {

constexpr std::size_t rules_max = 256; // as many as a model can have tables

std::string accepted_rules() {
  std::string names;
  for (const auto& name : built_in_rules())
    names.append(names.empty() ? "" : ", ").append(name);
  return names + ", or OWNER/NAME of a rule that the servers' application brings";
}

/// Whether a rule may have this name.
result<void> check_rule(const std::string& name) {
  if (std::ranges::find(built_in_rules(), name) != built_in_rules().end()) return {};
  // What exactly a rule may be called, the servers' registry knows.
  if (name.find('/') != std::string::npos && name.find_first_of(" \t,:#;") == std::string::npos)
    return {};
  auto refused = refused_value(name, "one of " + accepted_rules());
  if (const auto near = closest(name, built_in_rules()); !near.empty())
    refused.text += "; did you mean '" + near + "'?";
  return refused;
}

result<std::vector<table_rule>> parse_list(const std::string& text, const std::string& accepts) {
  std::vector<table_rule> rules;
  for (const auto& part : split_list(text)) {
    // A rule has no colon; a table may have one.
    const auto colon = part.rfind(':');
    if (colon == std::string::npos || rules.size() == rules_max)
      return refused_value(text, accepts);
    table_rule rule{std::string(trim(part.substr(0, colon))),
                    std::string(trim(part.substr(colon + 1)))};
    if (rule.table.empty() ||
        std::ranges::find(rules, rule.table, &table_rule::table) != rules.end())
      return refused_value(text, accepts);
    if (auto checked = check_rule(rule.rule); !checked) return checked.failure();
    rules.push_back(std::move(rule));
  }
  return rules;
}

} // namespace

const std::vector<std::string>& built_in_rules() {
  static const std::vector<std::string> names{"sgd",  "momentum", "nesterov", "adagrad", "rmsprop",
                                              "adam", "adamw",    "ftrl",     "sgld"};
  return names;
}

value_type<std::string> rule_name() {
  return {
      "one of " + accepted_rules(),
      [](const std::string& text) -> result<std::string> {
        if (auto checked = check_rule(text); !checked) return checked.failure();
        return text;
      },
      [](const std::string& name) { return name; },
  };
}

value_type<std::vector<table_rule>> table_rule_list() {
  const std::string accepts = "a comma list of TABLE:RULE, each table at most once";
  return {
      accepts,
      [=](const std::string& text) { return parse_list(text, accepts); },
      [](const std::vector<table_rule>& rules) {
        std::string text;
        for (const auto& rule : rules)
          text.append(text.empty() ? "" : ",").append(rule.table + ":" + rule.rule);
        return text;
      },
  };
}

} // namespace gradmesh::config
