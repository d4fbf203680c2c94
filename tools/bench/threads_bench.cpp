#include "tools/bench/threads_bench.hpp"

#include "actors/learning/hogwild.hpp"
#include "gpu/cpu_backend.hpp"
#include "tools/bench/statistics.hpp"
#include "tools/figures.hpp"
#include "tools/table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;

/// All parameters, and one step at a time of them: pull, compute, update.
class trainer {
public:
  static result<std::unique_ptr<trainer>> make(const threads_options& options, unsigned threads,
                                               bool lock_free) {
    std::unique_ptr<trainer> made(new trainer(options));
    const learning::model_options model{.kind = "softmax", .hidden = {}, .l2 = options.l2};
    auto built = learning::make_model(model, options.data.shape, *made->backend_);
    if (!built) return built.failure();
    made->model_ = std::move(*built);
    if (lock_free) {
      auto team = env::make_thread_team(threads);
      if (!team) return team.failure();
      auto hogwild = learning::hogwild::make(model, options.data.shape, std::move(*team));
      if (!hogwild) return hogwild.failure();
      made->hogwild_ = std::move(*hogwild);
    }
    return made;
  }

  /// From zeros; seconds in the compute stage. `loss`: over the training set afterwards.
  result<double> train(double& loss) {
    const bool sparse = options_.data.shape.kind == learning::layout::sparse;
    table_.assign(sparse ? std::size_t{options_.data.shape.features} * width() : 0, 0);
    dense_.assign(learning::dense_size(model_->tables()), 0);
    double seconds = 0;
    for (unsigned epoch = 0; epoch < options_.epochs; ++epoch)
      for (std::size_t first = 0; first < options_.data.size(); first += options_.batch)
        if (auto ok = step(first, seconds); !ok) return ok.failure();
    auto whole = evaluate();
    if (!whole) return whole.failure();
    loss = *whole;
    return seconds;
  }

private:
  explicit trainer(const threads_options& options)
      : options_(options), backend_(gpu::make_cpu_backend()) {}

  std::size_t width() const { return options_.data.shape.classes; }

  learning::example_view batch_at(std::size_t first) const {
    return options_.data.view().slice(first,
                                      std::min(first + options_.batch, options_.data.size()));
  }

  void pull(const learning::step_plan& plan) {
    rows_.resize(plan.keys.size() * width());
    for (std::size_t k = 0; k < plan.keys.size(); ++k)
      std::copy_n(&table_[plan.keys[k] * width()], width(), &rows_[k * width()]);
    pulled_ = dense_;
  }

  result<void> step(std::size_t first, double& seconds) {
    const auto batch = batch_at(first);
    const auto plan = model_->plan(batch);
    if (hogwild_) hogwild_->rouse(); // as a worker does when its parameters begin to come
    pull(plan);
    row_gradients_.resize(rows_.size());
    dense_gradients_.resize(dense_.size());
    const float scale = 1.0F / static_cast<float>(batch.size());
    const auto rate = options_.learning_rate;
    const bool sparse = !table_.empty();
    using spans = std::vector<std::span<float>>;
    using const_spans = std::vector<std::span<const float>>;
    const learning::gradient_view gradients{dense_gradients_,
                                            sparse ? spans{row_gradients_} : spans{}};
    const auto begin = clock::now();
    const auto metrics =
        hogwild_ ? hogwild_->descend(batch, plan, {pulled_, sparse ? spans{rows_} : spans{}}, scale,
                                     rate, gradients)
                 : model_->forward_backward(batch, plan,
                                            {pulled_, sparse ? const_spans{rows_} : const_spans{}},
                                            scale, gradients);
    seconds += std::chrono::duration<double>(clock::now() - begin).count();
    if (!metrics) return metrics.failure();
    for (std::size_t i = 0; i < dense_.size(); ++i)
      dense_[i] -= rate * dense_gradients_[i];
    for (std::size_t k = 0; k < plan.keys.size(); ++k)
      for (std::size_t c = 0; c < width(); ++c)
        table_[plan.keys[k] * width() + c] -= rate * row_gradients_[k * width() + c];
    return {};
  }

  result<double> evaluate() {
    learning::step_metrics sum;
    for (std::size_t first = 0; first < options_.data.size(); first += options_.batch) {
      const auto batch = batch_at(first);
      const auto plan = model_->plan(batch);
      pull(plan);
      learning::parameter_view values{pulled_, {}};
      if (!table_.empty()) values.sparse.emplace_back(rows_);
      const auto metrics = model_->evaluate(batch, plan, values);
      if (!metrics) return metrics.failure();
      sum += *metrics;
    }
    return sum.loss_sum / static_cast<double>(sum.examples);
  }

  const threads_options& options_;
  std::unique_ptr<gpu::backend> backend_;
  std::unique_ptr<learning::model> model_;
  std::unique_ptr<learning::hogwild> hogwild_; // null: gradient of the whole batch
  std::vector<float> table_, dense_;           // of the "server"
  std::vector<float> rows_, pulled_, row_gradients_, dense_gradients_;
};

struct path {
  threads_row row;
  std::unique_ptr<trainer> computer;
  std::vector<double> rates; // by run
  std::vector<double> losses;
};

} // namespace

result<std::vector<threads_row>> run_threads_bench(const threads_options& options) {
  std::vector<path> paths(3);
  for (std::size_t p = 0; p < paths.size(); ++p) {
    auto& row = paths[p].row;
    row = {.data = options.data_name,
           .path = p == 0 ? "minibatch" : "hogwild",
           .threads = p == 2 ? options.threads : 1,
           .batch = options.batch,
           .runs = options.runs};
    auto made = trainer::make(options, row.threads, p > 0);
    if (!made) return made.failure();
    paths[p].computer = std::move(*made);
  }
  const auto examples = static_cast<double>(options.data.size()) * options.epochs;
  for (unsigned run = 0; run < options.runs; ++run)
    for (auto& p : paths) {
      options.progress(p.row.path + " on " + std::to_string(p.row.threads) + " thread(s), run " +
                       std::to_string(run + 1) + " of " + std::to_string(options.runs));
      auto& loss = p.losses.emplace_back();
      const auto seconds = p.computer->train(loss);
      if (!seconds) return seconds.failure();
      p.rates.push_back(examples / *seconds);
    }
  std::vector<threads_row> rows;
  for (auto& p : paths) {
    std::vector<double> speedups;
    for (unsigned run = 0; run < options.runs; ++run)
      speedups.push_back(p.rates[run] / paths[1].rates[run]);
    p.row.examples_per_s = median(p.rates);
    p.row.spread = spread(p.rates);
    p.row.speedup = median(speedups);
    p.row.loss = median(p.losses);
    rows.push_back(p.row);
  }
  return rows;
}

std::string to_table(const std::vector<threads_row>& rows) {
  table t;
  t.columns = {{"DATA"},       {"PATH"},         {"THREADS", true}, {"BATCH", true},
               {"EX/S", true}, {"SPREAD", true}, {"SPEEDUP", true}, {"LOSS", true}};
  for (const auto& row : rows)
    t.rows.push_back({row.data, row.path, std::to_string(row.threads), std::to_string(row.batch),
                      fixed(row.examples_per_s, 0), fixed(100 * row.spread, 0) + "%",
                      fixed(row.speedup, 2), fixed(row.loss, 4)});
  return join_lines(render(t));
}

std::string to_json(const std::vector<threads_row>& rows) {
  auto all = nlohmann::ordered_json::array();
  for (const auto& row : rows)
    all.push_back({{"bench", "threads"},
                   {"data", row.data},
                   {"path", row.path},
                   {"threads", row.threads},
                   {"batch_size", row.batch},
                   {"examples_per_s", row.examples_per_s},
                   {"spread", row.spread},
                   {"speedup", row.speedup},
                   {"loss", row.loss},
                   {"runs", row.runs}});
  return all.dump(2) + "\n";
}

} // namespace gradmesh::tools::bench
