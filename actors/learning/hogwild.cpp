#include "actors/learning/hogwild.hpp"

#include "actors/learning/step_checks.hpp"
#include "gpu/cpu_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace gradmesh::learning {
namespace {

/// Examples that are looked at to tell which rows many share.
constexpr std::size_t sample_examples = 512;
/// A row is hot if it occurs in one of so many examples, or more often.
constexpr std::size_t hot_one_in = 16;
/// A place fits a byte; more would cost more to exchange than they save.
constexpr std::size_t hot_rows_max = 64;
/// Examples of a group; see the header.
constexpr std::size_t group_max = 64;
/// Of what is done before the pass.
constexpr unsigned begin_pieces = 16;

struct range {
  std::size_t first;
  std::size_t last;
};

range share_of(std::size_t count, unsigned part, unsigned parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

/// All spans of a set of parameters, for loops that do not care for tables.
std::vector<std::span<float>> spans_of(const gradient_view& all) {
  std::vector<std::span<float>> spans{all.dense};
  spans.insert(spans.end(), all.sparse.begin(), all.sparse.end());
  return spans;
}

} // namespace

hogwild::hogwild(const data_shape& shape, float l2, std::vector<table_spec> tables,
                 std::unique_ptr<env::thread_team> team)
    : shape_(shape), l2_(l2), tables_(std::move(tables)), team_(std::move(team)),
      threads_(team_->size()) {
  if (shape_.kind == layout::sparse) return;
  columns_.resize(shape_.features);
  std::iota(columns_.begin(), columns_.end(), 0U);
}

result<std::unique_ptr<hogwild>> hogwild::make(const model_options& options,
                                               const data_shape& shape,
                                               std::unique_ptr<env::thread_team> team) {
  if (options.kind != "softmax")
    return {errc::invalid_argument,
            fmt::format("lock-free threads (job.threads) work on softmax regression only, and "
                        "model.type is {}; set job.threads = 1",
                        options.kind)};
  const auto backend = gpu::make_cpu_backend();
  const auto model = make_model(options, shape, *backend);
  if (!model) return model.failure();
  return std::unique_ptr<hogwild>(
      new hogwild(shape, options.l2, (*model)->tables(), std::move(team)));
}

result<void> hogwild::check(const example_view& batch, const step_plan& plan,
                            const gradient_view& parameters, const gradient_view& gradients) const {
  const bool sparse = shape_.kind == layout::sparse;
  // Sizes alone here; the threads share the rest, which takes as long as a pass on many of them.
  const bool fits = sparse ? batch.size() == 0 || (batch.offsets.size() == batch.size() + 1 &&
                                                   batch.offsets.front() <= batch.offsets.back())
                           : batch.values.size() == batch.size() * std::size_t{shape_.features};
  if (!fits)
    if (auto ok = check_batch(shape_, batch); !ok) return ok;
  if (sparse && plan.rows.size() != entry_count(batch))
    if (auto ok = check_plan(batch, plan); !ok) return ok;
  const auto keys = plan.keys.size();
  if (auto ok = check_parameters("parameters", tables_, keys, as_const(parameters)); !ok) return ok;
  return check_parameters("gradients", tables_, keys, as_const(gradients));
}

result<void> hogwild::check_piece(const example_view& batch, const step_plan& plan,
                                  unsigned piece) const {
  const auto examples = share_of(batch.size(), piece, begin_pieces);
  if (examples.first < examples.last)
    if (auto ok = check_batch(shape_, batch.slice(examples.first, examples.last)); !ok) return ok;
  const auto rows = share_of(plan.rows.size(), piece, begin_pieces);
  return check_rows(std::span(plan.rows).subspan(rows.first, rows.last - rows.first),
                    plan.keys.size());
}

float hogwild::find_hot_rows(const example_view& batch, const step_plan& plan) {
  hot_rows_.clear();
  float square = 1;
  if (plan.rows.empty()) return square;
  const auto sampled = std::min(batch.size(), sample_examples);
  const auto entries = batch.offsets[sampled] - batch.offsets.front();
  uses_.assign(plan.keys.size(), 0);
  const auto hot = std::max<std::size_t>(2, sampled / hot_one_in);
  for (std::size_t e = 0; e < entries && hot_rows_.size() < hot_rows_max; ++e)
    if (++uses_[plan.rows[e]] == hot) hot_rows_.push_back(plan.rows[e]);
  if (hot_rows_.empty()) return square;
  hot_places_.assign(plan.keys.size(), 0);
  for (std::size_t place = 0; place < hot_rows_.size(); ++place)
    hot_places_[hot_rows_[place]] = static_cast<std::uint8_t>(place + 1);
  const auto* values = batch.values.data() + batch.offsets.front();
  for (std::size_t e = 0; e < entries; ++e)
    if (hot_places_[plan.rows[e]] != 0) square = std::max(square, values[e] * values[e]);
  return square;
}

std::size_t hogwild::group_of(float step, float square) const {
  const auto most = 2 / (static_cast<float>(team_->size()) * step * square);
  return most >= group_max ? group_max : std::max<std::size_t>(1, static_cast<std::size_t>(most));
}

hogwild_pass hogwild::pass_over(const example_view& batch, const step_plan& plan,
                                const gradient_view& parameters, float step) {
  hogwild_pass pass;
  pass.step = step;
  pass.labels = batch.labels;
  pass.classes = shape_.classes;
  if (shape_.kind == layout::dense) {
    const auto weights = std::size_t{shape_.features} * shape_.classes;
    pass.group = group_of(step, 1);
    pass.dense_entries = shape_.features;
    pass.rows = columns_.data();
    pass.values = batch.values.data();
    pass.weights = parameters.dense.data();
    pass.bias = parameters.dense.data() + weights;
    return pass;
  }
  pass.group = group_of(step, find_hot_rows(batch, plan));
  pass.offsets = batch.offsets;
  pass.first_entry = batch.offsets.front();
  pass.rows = plan.rows.data();
  pass.values = batch.values.data() + pass.first_entry;
  pass.weights = parameters.sparse[0].data();
  pass.bias = parameters.dense.data();
  pass.hot_rows = hot_rows_;
  pass.hot_places = hot_rows_.empty() ? nullptr : hot_places_.data();
  return pass;
}

result<step_metrics> hogwild::descend(const example_view& batch, const step_plan& plan,
                                      const gradient_view& parameters, float scale, float rate,
                                      const gradient_view& gradients) {
  if (auto ok = check(batch, plan, parameters, gradients); !ok) return ok.failure();
  const auto now = spans_of(parameters);
  const auto before = spans_of(gradients); // until they become the gradients
  const auto parts = team_->size();
  std::array<result<void>, begin_pieces> checked;
  std::atomic<unsigned> next_piece{0};
  // Taken piece by piece: the threads that sleep come when part of it is done.
  team_->run([&](unsigned) {
    for (auto piece = next_piece++; piece < begin_pieces; piece = next_piece++) {
      checked[piece] = check_piece(batch, plan, piece);
      for (std::size_t s = 0; s < now.size(); ++s) {
        const auto own = share_of(now[s].size(), piece, begin_pieces);
        std::copy(now[s].begin() + own.first, now[s].begin() + own.last,
                  before[s].begin() + own.first);
      }
    }
  });
  for (const auto& ok : checked)
    if (!ok) return ok.failure();

  std::vector<gpu::batch_metrics> sums(parts);
  if (batch.size() > 0) {
    const auto pass = pass_over(batch, plan, parameters, rate * scale);
    std::atomic<std::size_t> next{0};
    team_->run([&](unsigned part) { sums[part] = threads_[part].work(pass, next); });
  }

  // The bias is not pulled towards zero: it stands last among the dense parameters.
  const float pull = l2_ * scale * static_cast<float>(batch.size());
  const auto dense_weights = now[0].size() - shape_.classes;
  team_->run([&](unsigned part) {
    for (std::size_t s = 0; s < now.size(); ++s) {
      const auto own = share_of(now[s].size(), part, parts);
      const auto pulled = s == 0 ? std::clamp(dense_weights, own.first, own.last) : own.last;
      float* const g = before[s].data();
      const float* const w = now[s].data();
      for (auto i = own.first; i < pulled; ++i)
        g[i] = (g[i] - w[i]) / rate + pull * g[i];
      for (auto i = pulled; i < own.last; ++i)
        g[i] = (g[i] - w[i]) / rate;
    }
  });
  step_metrics metrics{0, 0, batch.size()};
  for (const auto& sum : sums)
    metrics += {sum.loss_sum, sum.correct, 0};
  return metrics;
}

} // namespace gradmesh::learning
