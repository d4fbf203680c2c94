#pragma once

/// What `gradmesh tls show` prints.

#include "actors/env/network/tls/certificate_facts.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools {

/// A block of lines for each certificate. `now_s`: seconds since 1970.
std::string certificates_text(const std::vector<env::certificate_facts>& all, std::int64_t now_s);

/// A JSON object with an array "certificates", on one line.
std::string certificates_json(const std::vector<env::certificate_facts>& all, std::int64_t now_s);

} // namespace gradmesh::tools
