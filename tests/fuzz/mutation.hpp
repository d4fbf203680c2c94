#pragma once

/// Random changes of inputs, for the builds that have no libFuzzer.

#include "actors/env/random.hpp"

#include <string>
#include <vector>

namespace gradmesh::fuzz {

/// One of the seeds after 1 to 8 changes: bytes and bits set at random, numbers at the edges of
/// their types, pieces cut out, repeated, exchanged with another seed's. `seeds` is not empty.
std::string mutate(const std::vector<std::string>& seeds, env::random_stream& random);

} // namespace gradmesh::fuzz
