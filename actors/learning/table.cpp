#include "actors/learning/table.hpp"

namespace gradmesh::learning {

std::uint64_t dense_size(const std::vector<table_spec>& tables) {
  std::uint64_t size = 0;
  for (const auto& table : tables)
    if (table.kind == table_kind::dense) size += table.width;
  return size;
}

} // namespace gradmesh::learning
