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
/// Examples that a thread takes at a time, and looks at before.
constexpr std::size_t run_examples = 64;
/// Of what is done to all parameters before and after the pass.
constexpr std::uint32_t parameter_pieces = 16;

struct range {
  std::size_t first;
  std::size_t last;
};

range share_of(std::size_t count, std::uint32_t part, std::uint32_t parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

/// All spans of a set of parameters, for loops that do not care for tables.
std::vector<std::span<float>> spans_of(const gradient_view& all) {
  std::vector<std::span<float>> spans{all.dense};
  spans.insert(spans.end(), all.sparse.begin(), all.sparse.end());
  return spans;
}

/// A piece of `before` becomes what `now` is.
void copy_share(const std::vector<std::span<float>>& now,
                const std::vector<std::span<float>>& before, std::uint32_t piece) {
  for (std::size_t s = 0; s < now.size(); ++s) {
    const auto own = share_of(now[s].size(), piece, parameter_pieces);
    std::copy(now[s].begin() + own.first, now[s].begin() + own.last, before[s].begin() + own.first);
  }
}

/// `before` becomes the gradient that a step by `rate` goes from there to `now` by, and the l2 term
/// besides.
void take_difference(std::span<const float> now, std::span<float> before, range own, float rate,
                     float pull) {
  float* const g = before.data();
  const float* const w = now.data();
  if (pull == 0)
    for (auto i = own.first; i < own.last; ++i)
      g[i] = (g[i] - w[i]) / rate;
  else
    for (auto i = own.first; i < own.last; ++i)
      g[i] = (g[i] - w[i]) / rate + pull * g[i];
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

result<void> hogwild::check_examples(const example_view& batch, const step_plan& plan,
                                     std::size_t first, std::size_t last) const {
  if (auto ok = check_batch(shape_, batch.slice(first, last)); !ok) return ok;
  if (shape_.kind == layout::dense) return {};
  const auto front = batch.offsets.front();
  const auto begin = batch.offsets[first];
  const auto end = batch.offsets[last];
  // These examples' offsets may ascend where those of the batch do not; it says what is wrong.
  if (begin < front || end - front > plan.rows.size()) return check_batch(shape_, batch);
  return check_rows(std::span(plan.rows).subspan(begin - front, end - begin), plan.keys.size());
}

float hogwild::find_hot_rows(const example_view& batch, const step_plan& plan) {
  hot_rows_.clear();
  float square = 1;
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

result<hogwild_pass> hogwild::pass_over(const example_view& batch, const step_plan& plan,
                                        const gradient_view& parameters, float step) {
  // What is looked at to find hot rows.
  const auto sampled = std::min(batch.size(), sample_examples);
  if (auto ok = check_examples(batch, plan, 0, sampled); !ok) return ok.failure();
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
  hogwild_pass pass;
  bool is_ready = false;
  std::vector<error> failures(team_->size()); // by thread
  for (auto& thread : threads_)
    thread.begin();

  const auto begin = [&](unsigned thread, std::uint32_t piece) {
    // The longest piece first, so that nobody waits for it.
    if (piece > 0) return copy_share(now, before, piece - 1);
    if (batch.size() == 0) return;
    auto ready = pass_over(batch, plan, parameters, rate * scale);
    is_ready = bool(ready);
    if (ready)
      pass = *ready;
    else
      failures[thread] = ready.failure();
  };
  const auto descend = [&](unsigned thread, std::uint32_t piece) {
    if (!is_ready) return;
    const auto first = piece * run_examples;
    const auto last = std::min(batch.size(), first + run_examples);
    const auto seen = std::min(batch.size(), last + hogwild_thread::examples_ahead);
    if (auto ok = check_examples(batch, plan, first, seen); !ok)
      failures[thread] = ok.failure();
    else
      threads_[thread].work(pass, first, last, seen);
  };
  // The bias is not pulled towards zero: it stands last among the dense parameters.
  const float pull = l2_ * scale * static_cast<float>(batch.size());
  const auto pulled_dense = now[0].size() - shape_.classes;
  const auto end = [&](unsigned, std::uint32_t piece) {
    for (std::size_t s = 0; s < now.size(); ++s) {
      const auto own = share_of(now[s].size(), piece, parameter_pieces);
      const auto pulled = s == 0 ? std::clamp(pulled_dense, own.first, own.last) : own.last;
      take_difference(now[s], before[s], {own.first, pulled}, rate, pull);
      take_difference(now[s], before[s], {pulled, own.last}, rate, 0);
    }
  };
  const auto runs = static_cast<std::uint32_t>((batch.size() + run_examples - 1) / run_examples);
  const std::array<env::stage, 3> stages{
      {{parameter_pieces + 1, begin}, {runs, descend}, {parameter_pieces, end}}};
  team_->run(stages);

  for (const auto& failure : failures)
    if (failure) return failure;
  step_metrics metrics{0, 0, batch.size()};
  for (const auto& thread : threads_)
    metrics += {thread.metrics().loss_sum, thread.metrics().correct, 0};
  return metrics;
}

} // namespace gradmesh::learning
