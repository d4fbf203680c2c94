#include "actors/learning/dataset.hpp"

namespace gradmesh::learning {

example_view example_view::slice(std::size_t first, std::size_t last) const {
  example_view part = *this;
  part.labels = labels.subspan(first, last - first);
  if (shape.kind == layout::sparse)
    part.offsets = offsets.subspan(first, last - first + 1);
  else
    part.values = values.subspan(first * shape.features, (last - first) * shape.features);
  return part;
}

} // namespace gradmesh::learning
