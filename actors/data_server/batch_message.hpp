#pragma once

/// A batch that was chosen, as it travels: the examples and what they are.

#include "actors/data_server/batch_schedule.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/mesh/message.hpp"

namespace gradmesh::data_server {

/// All of a Batch but job and phase.
mesh::draft<schema::Batch> batch_message(const batch_choice& choice,
                                         const learning::dataset& examples);

} // namespace gradmesh::data_server
