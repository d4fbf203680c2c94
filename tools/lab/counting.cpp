#include "tools/lab/counting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradmesh::tools::lab {

learning::dataset counted_examples(std::size_t examples) {
  const auto features = static_cast<std::uint32_t>(examples);
  learning::dataset data{{learning::layout::sparse, features, 2}, {}, {0}, {}, {}};
  for (std::uint32_t i = 0; i < features; ++i) {
    data.indices.push_back(i);
    data.values.push_back(1);
    data.offsets.push_back(i + 1);
    data.labels.push_back(static_cast<std::int32_t>(i % 2));
  }
  return data;
}

void count_examples(experiment& e, std::size_t examples) {
  e.data = counted_examples(examples);
  e.options.push_back(fmt::format("job.batch_size={}", counted_batch));
  e.options.push_back(fmt::format("optimizer.learning_rate={}", counted_rate));
}

std::vector<double> applied_counts(const store::model_content& model, const counted_steps& steps) {
  std::vector<double> counts(model.shape.features, 0.0);
  const double one = steps.learning_rate * 0.5 * steps.share / static_cast<double>(steps.batch);
  const auto& table = model.sparse.at(0);
  for (std::size_t r = 0; r < table.keys.size(); ++r) {
    const auto example = table.keys[r];
    counts[example] = static_cast<double>(table.rows[2 * r + example % 2]) / one;
  }
  return counts;
}

result<check> applied_once(experiment e) {
  constexpr std::size_t examples = 512;
  constexpr int epochs = 2;
  e.options.push_back("job.epochs=" + std::to_string(epochs));
  count_examples(e, examples);
  e.tap = [](const mesh::node_uuid&, const mesh::frame_ptr& f) {
    return f->header.kind == mesh::message_traits<schema::Push>::kind ? 2U : 1U;
  };
  const auto done = run(e);
  if (!done) return done.failure();
  return at_most("applied-once",
                 "greatest distance of an example's count from its epochs, while every push comes "
                 "twice",
                 worst_count(applied_counts(done->model), epochs), 0.01);
}

double worst_count(const std::vector<double>& counts, double expected) {
  double worst = 0;
  for (const auto count : counts)
    worst = std::max(worst, std::abs(count - expected));
  return worst;
}

} // namespace gradmesh::tools::lab
