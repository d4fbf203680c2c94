#pragma once

/// "Did you mean": the known name that is nearest to one that a user wrote.

#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

/// Levenshtein distance, in bytes: insertions, deletions and replacements that turn one text into
/// the other. Time and memory grow with the product of the lengths; keep both short.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known` (the first of several), or empty when none is near enough: more than
/// a quarter of the name, and more than one edit, away. Names beyond 128 bytes have no suggestion.
std::string closest(std::string_view name, const std::vector<std::string>& known);

} // namespace gradmesh::config
