#pragma once

/// What must hold before a batch and its parameters are given to the compute backend, which trusts
/// its input. The batch may come from a peer. All failures are `errc::invalid_argument`.

#include "actors/error.hpp"
#include "actors/learning/model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gradmesh::learning {

/// The batch has the shape that the model was built for; its arrays have the sizes that the number
/// of examples asks for; labels are classes, offsets ascend, indices are features.
result<void> check_batch(const data_shape& shape, const example_view& batch);

/// Entries of a sparse batch; the offsets were checked.
std::size_t entry_count(const example_view& batch);

/// The plan names a row for every index of the batch, and no row beyond its keys.
result<void> check_plan(const example_view& batch, const step_plan& plan);

/// The second half of that, for some of the plan's rows.
result<void> check_rows(std::span<const std::uint32_t> rows, std::size_t keys);

/// `values` (called `what` in the message) have the sizes of `tables` for `keys` sparse rows.
result<void> check_parameters(std::string_view what, const std::vector<table_spec>& tables,
                              std::size_t keys, const parameter_view& values);

/// Gradients as what `check_parameters` looks at.
parameter_view as_const(const gradient_view& gradients);

} // namespace gradmesh::learning
