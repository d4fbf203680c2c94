#pragma once

/// A job for machines. Names are stable and carry their units; what is not known yet is null.

#include "schema/job.capnp.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace gradmesh::tools {

/// Null before the first job (phase "none").
nlohmann::ordered_json job_json(schema::JobUpdate::Reader update);

/// One line. A text from a peer that is not UTF-8 is repaired with U+FFFD.
std::string to_line(const nlohmann::ordered_json& json);

} // namespace gradmesh::tools
