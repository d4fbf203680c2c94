#include "actors/job/batch_body.hpp"

#include "actors/job/padding.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace gradmesh::job {
namespace {

/// Where the parts of a body stand, in bytes.
struct body_layout {
  std::size_t offsets = 0; // sparse
  std::size_t indices = 0; // sparse
  std::size_t values = 0;
  std::size_t end = 0;
};

body_layout layout_of(bool sparse, std::size_t examples, std::size_t entries) {
  body_layout at;
  at.offsets = padded(examples * sizeof(std::int32_t));
  at.indices = at.offsets + (sparse ? padded((examples + 1) * sizeof(std::uint32_t)) : 0);
  at.values = at.indices + (sparse ? padded(entries * sizeof(std::uint32_t)) : 0);
  at.end = at.values + padded(entries * sizeof(float));
  return at;
}

error malformed(const std::string& what) {
  return {errc::malformed_message, "a batch " + what};
}

result<void> check_sparse(const learning::example_view& view, std::size_t entries) {
  if (view.offsets.front() != 0 || view.offsets.back() != entries)
    return malformed("has offsets from " + std::to_string(view.offsets.front()) + " to " +
                     std::to_string(view.offsets.back()) + " for " + std::to_string(entries) +
                     " entries");
  for (std::size_t i = 0; i < view.size(); ++i) {
    const std::size_t first = view.offsets[i];
    const std::size_t last = view.offsets[i + 1];
    if (first > last || last > entries) return malformed("has offsets that do not ascend");
    for (std::size_t e = first; e < last; ++e)
      if (view.indices[e] >= view.shape.features ||
          (e > first && view.indices[e] <= view.indices[e - 1]))
        return malformed("has feature " + std::to_string(view.indices[e]) + " out of order or of " +
                         std::to_string(view.shape.features));
  }
  return {};
}

} // namespace

void fill_batch(const learning::dataset& data, std::span<const std::uint32_t> chosen,
                mesh::draft<schema::Batch>& out) {
  const bool sparse = data.shape.kind == learning::layout::sparse;
  std::size_t entries = chosen.size() * std::size_t{data.shape.features};
  if (sparse) {
    entries = 0;
    for (const auto i : chosen)
      entries += data.offsets[i + 1] - data.offsets[i];
  }
  const auto at = layout_of(sparse, chosen.size(), entries);
  const auto body = mesh::allocate_body(at.end);
  std::fill(body.bytes.begin(), body.bytes.end(), std::byte{0});

  const auto labels = body.as<std::int32_t>(0, chosen.size());
  auto* values = body.as<float>(at.values, entries).data();
  for (std::size_t n = 0; n < chosen.size(); ++n)
    labels[n] = data.labels[chosen[n]];
  if (sparse) {
    const auto offsets = body.as<std::uint32_t>(at.offsets, chosen.size() + 1);
    auto* indices = body.as<std::uint32_t>(at.indices, entries).data();
    std::uint32_t done = 0;
    offsets[0] = 0;
    for (std::size_t n = 0; n < chosen.size(); ++n) {
      const std::size_t first = data.offsets[chosen[n]];
      const std::size_t count = data.offsets[chosen[n] + 1] - first;
      std::copy_n(data.indices.data() + first, count, indices + done);
      std::copy_n(data.values.data() + first, count, values + done);
      done += static_cast<std::uint32_t>(count);
      offsets[n + 1] = done;
    }
  } else {
    const std::size_t width = data.shape.features;
    for (std::size_t n = 0; n < chosen.size(); ++n)
      std::copy_n(data.values.data() + chosen[n] * width, width, values + n * width);
  }
  out->setExamples(static_cast<std::uint32_t>(chosen.size()));
  out->setEntries(sparse ? entries : 0);
  out.body = body.share();
}

result<learning::example_view> view_batch(const mesh::message<schema::Batch>& batch,
                                          const learning::data_shape& shape) {
  const bool sparse = shape.kind == learning::layout::sparse;
  const std::size_t examples = (*batch).getExamples();
  const std::uint64_t entries =
      sparse ? (*batch).getEntries() : std::uint64_t{examples} * shape.features;
  // Bounds both counts by the body before anything is computed from them.
  if (examples > batch.body().size() || entries > batch.body().size())
    return malformed("claims " + std::to_string(examples) + " examples and " +
                     std::to_string(entries) + " entries in a body of " +
                     std::to_string(batch.body().size()) + " bytes");
  const auto at = layout_of(sparse, examples, entries);
  if (at.end != batch.body().size())
    return malformed("with " + std::to_string(examples) + " examples and " +
                     std::to_string(entries) + " entries needs a body of " +
                     std::to_string(at.end) + " bytes but has " +
                     std::to_string(batch.body().size()));
  learning::example_view view{.shape = shape,
                              .labels = *batch.array<std::int32_t>(0, examples),
                              .offsets = {},
                              .indices = {},
                              .values = *batch.array<float>(at.values, entries)};
  for (const auto label : view.labels)
    if (label < 0 || static_cast<std::uint32_t>(label) >= shape.classes)
      return malformed("has label " + std::to_string(label) + " of " +
                       std::to_string(shape.classes) + " classes");
  if (!std::all_of(view.values.begin(), view.values.end(),
                   [](float v) { return std::isfinite(v); }))
    return malformed("has a value that is not finite");
  if (sparse) {
    view.offsets = *batch.array<std::uint32_t>(at.offsets, examples + 1);
    view.indices = *batch.array<std::uint32_t>(at.indices, entries);
    if (auto checked = check_sparse(view, entries); !checked) return checked.failure();
  }
  return view;
}

} // namespace gradmesh::job
