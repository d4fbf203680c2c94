#pragma once

/// What every reader of data files promises of its rows, and of the examples made of them.

#include "actors/learning/data/file_rows.hpp"
#include "actors/learning/dataset.hpp"

#include <optional>

namespace gradmesh::fuzz {

void check_rows(const learning::file_rows& rows);
void check_dataset(const learning::dataset& data);

/// Makes the rows a data set, as loading does, and checks that too. Nothing when they are refused.
std::optional<learning::split_dataset> assembled(learning::file_rows rows);

} // namespace gradmesh::fuzz
