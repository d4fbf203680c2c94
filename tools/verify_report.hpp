#pragma once

/// What `gradmesh verify` found, for people and for machines.

#include "actors/record/verify.hpp"

#include <string>

namespace gradmesh::tools {

std::string verify_text(const record::verification& found, std::uint64_t log_bytes);
/// One JSON object on a line.
std::string verify_json(const record::verification& found, std::uint64_t log_bytes);

} // namespace gradmesh::tools
