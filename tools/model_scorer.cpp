#include "tools/model_scorer.hpp"

#include "actors/learning/initialize.hpp"
#include "gpu/cpu_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace gradmesh::tools {
namespace {

using rows = std::vector<std::size_t>; // positions in the examples

constexpr std::size_t batch_examples = 1024;

/// The examples at `which`, with `label` in the place of their own.
learning::dataset gather(const learning::example_view& from, std::span<const std::size_t> which,
                         std::uint32_t label) {
  learning::dataset batch;
  batch.shape = from.shape;
  batch.labels.assign(which.size(), static_cast<std::int32_t>(label));
  if (from.shape.kind == learning::layout::sparse) batch.offsets.push_back(0);
  for (const auto row : which) {
    std::size_t first = row * from.shape.features;
    std::size_t last = first + from.shape.features;
    if (from.shape.kind == learning::layout::sparse) {
      first = from.offsets[row];
      last = from.offsets[row + 1];
      batch.indices.insert(batch.indices.end(), from.indices.begin() + first,
                           from.indices.begin() + last);
      batch.offsets.push_back(static_cast<std::uint32_t>(batch.indices.size()));
    }
    batch.values.insert(batch.values.end(), from.values.begin() + first,
                        from.values.begin() + last);
  }
  return batch;
}

class scorer {
public:
  scorer(const store::model_content& content, learning::model& model)
      : content_(content), model_(model) {}

  /// The metrics of the examples at `which` if all of them were of class `label`.
  result<learning::step_metrics> score(const learning::example_view& examples,
                                       std::span<const std::size_t> which, std::uint32_t label) {
    learning::step_metrics sum;
    while (!which.empty()) {
      const auto now = which.first(std::min(which.size(), batch_examples));
      which = which.subspan(now.size());
      const auto batch = gather(examples, now, label);
      const auto plan = model_.plan(batch.view());
      const auto metrics = model_.evaluate(batch.view(), plan, pull(plan.keys));
      if (!metrics) return metrics.failure();
      sum += *metrics;
    }
    return sum;
  }

private:
  /// The parameters for these (ascending) keys, valid until the next call.
  learning::parameter_view pull(std::span<const std::uint64_t> keys) {
    learning::parameter_view view{content_.dense, {}};
    rows_.resize(content_.sparse.size());
    std::size_t sparse = 0;
    for (std::size_t t = 0; t < content_.tables.size(); ++t) {
      const auto& table = content_.tables[t];
      if (table.kind != learning::table_kind::sparse) continue;
      auto& values = rows_[sparse];
      values.resize(keys.size() * table.width);
      copy_rows(t, content_.sparse[sparse], keys, values);
      view.sparse.emplace_back(values);
      ++sparse;
    }
    return view;
  }

  void copy_rows(std::size_t table_index, const parameters::table_rows& stored,
                 std::span<const std::uint64_t> keys, std::span<float> out) const {
    const auto& table = content_.tables[table_index];
    auto from = stored.keys.begin();
    for (std::size_t k = 0; k < keys.size(); ++k) {
      const auto row = out.subspan(k * table.width, table.width);
      from = std::lower_bound(from, stored.keys.end(), keys[k]);
      if (from != stored.keys.end() && *from == keys[k])
        std::copy_n(stored.rows.begin() +
                        (from - stored.keys.begin()) * static_cast<std::ptrdiff_t>(table.width),
                    table.width, row.begin());
      else
        learning::fill_initial_row(table, content_.seed, table_index, keys[k], row);
    }
  }

  const store::model_content& content_;
  learning::model& model_;
  std::vector<std::vector<float>> rows_; // by sparse table
};

/// A model counts an example as correct when its most probable class is the label; asked with
/// another label it so counts the examples that it takes for that class.
result<std::optional<confusion>> find_confusion(scorer& by, const learning::example_view& examples,
                                                const class_score& score, const rows& which) {
  std::optional<confusion> most;
  auto wrong = score.metrics.examples - score.metrics.correct;
  if (examples.shape.classes > confusion_classes_max) return most;
  for (std::uint32_t other = 0; other < examples.shape.classes && wrong > 0; ++other) {
    if (other == score.label) continue;
    const auto taken = by.score(examples, which, other);
    if (!taken) return taken.failure();
    if (taken->correct > (most ? most->examples : 0)) most = {other, taken->correct};
    wrong -= std::min(wrong, taken->correct);
  }
  return most;
}

result<void> check_examples(const store::model_content& model,
                            const learning::example_view& examples) {
  const auto describe = [](const learning::data_shape& shape) {
    return fmt::format("{} examples of {} features in {} classes",
                       shape.kind == learning::layout::sparse ? "sparse" : "dense", shape.features,
                       shape.classes);
  };
  if (examples.size() == 0) return {errc::invalid_argument, "there are no examples to score"};
  if (examples.shape != model.shape)
    return {errc::invalid_argument, fmt::format("the model was trained on {}, the data has {}",
                                                describe(model.shape), describe(examples.shape))};
  for (const auto label : examples.labels)
    if (label < 0 || static_cast<std::uint32_t>(label) >= model.shape.classes)
      return {errc::invalid_argument, fmt::format("label {} is not one of the model's {} classes",
                                                  label, model.shape.classes)};
  return {};
}

double ratio(double part, std::uint64_t whole) {
  return whole > 0 ? part / static_cast<double>(whole) : 0;
}

} // namespace

double class_score::accuracy() const {
  return ratio(static_cast<double>(metrics.correct), metrics.examples);
}

double model_score::accuracy() const {
  return ratio(static_cast<double>(total.correct), total.examples);
}

double model_score::mean_loss() const {
  return ratio(total.loss_sum, total.examples);
}

result<model_score> score_model(const store::model_content& content,
                                const learning::example_view& examples) {
  if (auto fits = check_examples(content, examples); !fits) return fits.failure();
  const auto backend = gpu::make_cpu_backend();
  const auto model = learning::make_model({content.model_kind, content.hidden, content.l2},
                                          content.shape, *backend);
  if (!model) return model.failure();
  if ((*model)->tables() != content.tables)
    return {errc::malformed_model,
            fmt::format("the parameters in the model file are not those of its kind, {}",
                        content.model_kind)};

  scorer by(content, **model);
  std::vector<rows> of_class(content.shape.classes);
  for (std::size_t row = 0; row < examples.size(); ++row)
    of_class[static_cast<std::size_t>(examples.labels[row])].push_back(row);
  model_score score;
  for (std::uint32_t label = 0; label < content.shape.classes; ++label) {
    if (of_class[label].empty()) continue;
    const auto metrics = by.score(examples, of_class[label], label);
    if (!metrics) return metrics.failure();
    score.classes.push_back({label, *metrics});
    score.total += *metrics;
  }

  auto worst = score.classes;
  std::erase_if(worst, [](const auto& c) { return c.metrics.correct == c.metrics.examples; });
  std::stable_sort(worst.begin(), worst.end(),
                   [](const auto& a, const auto& b) { return a.accuracy() < b.accuracy(); });
  if (worst.size() > worst_max) worst.resize(worst_max);
  for (const auto& c : worst) {
    const auto mostly = find_confusion(by, examples, c, of_class[c.label]);
    if (!mostly) return mostly.failure();
    score.worst.push_back({c, *mostly});
  }
  return score;
}

} // namespace gradmesh::tools
