#pragma once

/// INTERNAL to `learning/data`: the packages' descriptions of this machine, parsed once and kept in
/// a cache file.
///
/// The cache file is named after the package lists (name, size and time of each), so that new lists
/// make a new one. A cache that is damaged is rebuilt; one that cannot be read or written costs
/// time, not the run, and `source` says so.

#include "actors/env/command.hpp"
#include "actors/env/disk.hpp"
#include "actors/learning/data/load.hpp"

namespace gradmesh::learning {

/// `cache`: a folder, made if it is missing; empty: no cache. Errors: `not_found` when there is no
/// apt or there are no package lists, else as `env::command_runner`.
result<loaded_data> load_debian_packages(const std::string& cache, env::disk& disk,
                                         const env::command_runner& commands);

} // namespace gradmesh::learning
