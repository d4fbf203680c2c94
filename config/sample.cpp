#include "config/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace gradmesh::config {

namespace {

constexpr std::size_t columns_max = 100;

/// Prose as comment lines, broken between words.
std::string comment(std::string_view prose) {
  std::string text(1, '#');
  std::size_t column = text.size();
  while (!prose.empty()) {
    const auto word = prose.substr(0, prose.find(' '));
    if (column + 1 + word.size() > columns_max) {
      text += "\n#";
      column = 1;
    }
    text.append(1, ' ').append(word);
    column += 1 + word.size();
    prose.remove_prefix(std::min(word.size() + 1, prose.size()));
  }
  return text + '\n';
}

std::string assignment(const std::string& key, const std::string& value) {
  return key + " =" + (value.empty() ? "" : " ") + value + '\n';
}

std::string document(const option& o, const std::map<std::string, std::string>& values) {
  auto text = comment(o.help);
  text += comment(fmt::format("Accepts {}. Default: {}.", o.accepts,
                              o.default_text.empty() ? "empty" : o.default_text));
  const auto value = values.find(o.name());
  if (value == values.end()) return text + '#' + assignment(o.key, o.default_text);
  return text + assignment(o.key, value->second);
}

} // namespace

std::string sample_ini(const option_table& table, const std::string& title,
                       const std::vector<std::string>& sections,
                       const std::map<std::string, std::string>& values) {
  auto text = comment(title);
  for (const auto& s : table.sections()) {
    if (std::find(sections.begin(), sections.end(), s.name) == sections.end()) continue;
    text += '\n' + comment(s.help) + fmt::format("[{}]\n", s.name);
    for (const auto& o : table.options())
      if (o.section == s.name) text += '\n' + document(o, values);
  }
  return text;
}

} // namespace gradmesh::config
