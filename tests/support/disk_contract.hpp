#pragma once

/// What every disk must do.

#include "actors/env/disk.hpp"

#include <string>

namespace gradmesh::testing {

/// Tries everything that disk.hpp says, below a folder that exists; makes doctest's checks.
void check_disk(env::disk& disk, const std::string& root);

} // namespace gradmesh::testing
