#pragma once

/// The sample of a configuration: every option with its help, what it accepts and its default. The
/// reference manual of the format, made from the same table that parses it.

#include "config/option_table.hpp"

#include <map>
#include <string>
#include <vector>

namespace gradmesh::config {

/// Options in `values` ("section.key" -> text) are written as lines that count, all others as
/// comments that hold the default. Only the given sections are written; `title` stands on top.
std::string sample_ini(const option_table& table, const std::string& title,
                       const std::vector<std::string>& sections,
                       const std::map<std::string, std::string>& values);

} // namespace gradmesh::config
