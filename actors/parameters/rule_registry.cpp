#include "actors/parameters/rule_registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradmesh::parameters {

namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+' || c == '-';
  });
}

} // namespace

result<void> rule_registry::add(const std::string& name, maker make) {
  const auto slash = std::min(name.find('/'), name.size());
  const auto view = std::string_view(name);
  if (!is_word(view.substr(0, slash)) || slash == name.size() || !is_word(view.substr(slash + 1)))
    return {errc::invalid_argument,
            fmt::format("'{}' cannot be the name of an update rule; use OWNER/NAME, of letters, "
                        "digits, '.', '_', '+' and '-'",
                        name)};
  if (!make)
    return {errc::invalid_argument, fmt::format("the update rule '{}' has no maker", name)};
  if (!own_.emplace(name, std::move(make)).second)
    return {errc::invalid_argument,
            fmt::format("there is an update rule '{}' already; give each its own name", name)};
  return {};
}

result<std::unique_ptr<optimizer>> rule_registry::make(const optimizer_options& options) const {
  if (options.kind.find('/') == std::string::npos) return make_optimizer(options);
  const auto found = own_.find(options.kind);
  if (found == own_.end()) {
    auto names = built_in_rule_names();
    for (const auto& [name, make] : own_)
      names += ", " + name;
    return {errc::invalid_argument,
            fmt::format("this server does not know the update rule '{}'; it has {}. Rules of an "
                        "application are known to the servers that it starts with them",
                        options.kind, names)};
  }
  auto rule = found->second(options);
  if (rule && !*rule)
    return {errc::invalid_argument,
            fmt::format("the maker of the update rule '{}' made none", options.kind)};
  return rule;
}

} // namespace gradmesh::parameters
