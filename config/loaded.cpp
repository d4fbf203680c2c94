#include "config/loaded.hpp"

#include <fmt/format.h>

namespace gradmesh::config {

std::string to_string(const origin& o) {
  switch (o.from) {
  case origin::kind::default_value:
    return "default";
  case origin::kind::file:
    return fmt::format("{}:{}", o.name, o.line);
  case origin::kind::environment:
    return fmt::format("environment {}", o.name);
  case origin::kind::command_line:
    return "command line";
  }
  return {};
}

std::string dump_ini(const std::vector<resolved_option>& options, bool with_origin) {
  std::string text;
  std::string_view section;
  for (const auto& o : options) {
    if (o.section != section) {
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", o.section);
      section = o.section;
    }
    text += fmt::format("{} ={}{}", o.key, o.value.empty() ? "" : " ", o.value);
    if (with_origin) text += fmt::format("  # {}", printable(to_string(o.from)));
    text += '\n';
  }
  return text;
}

} // namespace gradmesh::config
