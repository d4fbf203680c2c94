#pragma once

/// Initial parameters without communication: each value is a hash of (job seed, table, position),
/// so every shard makes the same model however the tables are cut.
///
/// Formula: with m the finaliser of SplitMix64 (Steele, Lea, Flood 2014) applied to its argument
/// plus the golden-ratio increment, h = m(m(m(seed) + table) + position); the upper 24 bits of h
/// make a float in [-limit, limit). A sparse row begins with m(m(m(seed) + table) + m(key)) in the
/// place of m(m(seed) + table), and its columns are the positions.

#include "actors/learning/table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace gradmesh::learning {

/// Element `position` of a dense table. `table_index`: its place among all tables of the model.
float initial_value(const table_spec& table, std::uint64_t job_seed, std::uint64_t table_index,
                    std::uint64_t position);

/// Fills `out` with the elements from `first` on of the dense space: all dense tables one after
/// another, as in `parameter_view::dense`. What lies beyond its end becomes zero.
void fill_initial_dense(const std::vector<table_spec>& tables, std::uint64_t job_seed,
                        std::uint64_t first, std::span<float> out);

/// Fills `out` (the table's width) with the row of `key` in a sparse table.
void fill_initial_row(const table_spec& table, std::uint64_t job_seed, std::uint64_t table_index,
                      std::uint64_t key, std::span<float> out);

} // namespace gradmesh::learning
