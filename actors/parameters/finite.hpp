#pragma once

/// The one check that a gradient's values get: is any of them not a finite number?

#include "actors/parameters/vector_loop.hpp"

#include <cstddef>
#include <span>

namespace gradmesh::parameters {

/// True if no value is infinite or NaN. Runs at the speed of memory.
bool all_finite(std::span<const float> values, instruction_set set = best_instruction_set());

/// Position of the first value that is not finite; `values.size()` if there is none.
std::size_t first_not_finite(std::span<const float> values);

} // namespace gradmesh::parameters
