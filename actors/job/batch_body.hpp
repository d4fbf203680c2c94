#pragma once

/// The body of a Batch message: examples as they stand in memory, so that a worker computes
/// straight from the received frame. The layout is specified in schema/data.capnp.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/mesh/message.hpp"

#include <cstdint>
#include <span>

namespace gradmesh::job {

/// The chosen examples of a set, in the order of `chosen`. Sets body, `examples` and `entries` of
/// the message.
void fill_batch(const learning::dataset& data, std::span<const std::uint32_t> chosen,
                mesh::draft<schema::Batch>& out);

/// Looks at the examples in a received batch, which must outlive the view. Everything that a model
/// relies on is checked: sizes, offsets and indices in order and in range, labels in range, finite
/// values. Errors: `malformed_message`.
result<learning::example_view> view_batch(const mesh::message<schema::Batch>& batch,
                                          const learning::data_shape& shape);

} // namespace gradmesh::job
