#include "config/config_table.hpp"

namespace gradmesh::config {

diagnostic at_origin(const origin& from, const std::string& file, std::string text) {
  switch (from.from) {
  case origin::kind::default_value:
    return {file, 0, std::move(text)};
  case origin::kind::file:
    return {from.name, from.line, std::move(text)};
  case origin::kind::environment:
  case origin::kind::command_line:
    return {to_string(from), 0, std::move(text)};
  }
  return {file, 0, std::move(text)};
}

} // namespace gradmesh::config
