#include "actors/worker/compute.hpp"

#include "actors/env/clock.hpp"
#include "gpu/cpu_backend.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>

namespace gradmesh::worker {
namespace {

/// The two layouts of the same floats: one run for everything, one span a table for the model.
learning::gradient_view view_of(std::span<float> all, std::size_t dense_floats, std::size_t keys,
                                const std::vector<std::size_t>& row_widths) {
  learning::gradient_view view{all.first(dense_floats), {}};
  std::size_t at = dense_floats;
  for (const auto width : row_widths) {
    view.sparse.push_back(all.subspan(at, keys * width));
    at += keys * width;
  }
  return view;
}

} // namespace

step_computer::step_computer(std::unique_ptr<gpu::backend> backend,
                             std::unique_ptr<learning::model> model, parameters::slicer slicer)
    : backend_(std::move(backend)), model_(std::move(model)), slicer_(std::move(slicer)),
      sum_(slicer_.layout().row_widths()) {}

result<std::unique_ptr<step_computer>> step_computer::make(const job::job_plan& plan) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto backend = gpu::make_cpu_backend();
  auto model = learning::make_model(job::model_options_of(plan.config), plan.shape, *backend);
  if (!model) return model.failure();
  if ((*model)->tables() != plan.tables)
    return error{errc::refused, "the plan's tables are not those of model '" +
                                    job::model_options_of(plan.config).kind +
                                    "' here; do all nodes run the same version?"};
  return std::unique_ptr<step_computer>(new step_computer(
      std::move(backend), std::move(*model), parameters::slicer(plan.tables, std::move(*map))));
}

result<void> step_computer::compute(step_work& work) {
  learning::parameter_view values{work.dense, {}};
  for (const auto& rows : work.rows)
    values.sparse.emplace_back(rows);
  work.metrics = {};
  work.pushes.clear();
  if (work.scale == 0) {
    auto metrics = model_->evaluate(work.examples, work.plan, values);
    if (!metrics) return metrics.failure();
    work.metrics = *metrics;
    return {};
  }
  std::vector<parameters::gradient> parts;
  piece_gradients_.resize(std::max(piece_gradients_.size(), work.piece_ends.size()));
  for (std::size_t piece = 0; piece < work.piece_ends.size(); ++piece) {
    auto part = gradient_of_piece(work, piece, values);
    if (!part) return part.failure();
    parts.push_back(*part);
  }
  const auto total = sum_.add(parts);
  if (!total) return total.failure();
  fill_pushes(work, *total);
  return {};
}

result<parameters::gradient>
step_computer::gradient_of_piece(step_work& work, std::size_t piece,
                                 const learning::parameter_view& values) {
  const auto first = piece == 0 ? 0 : work.piece_ends[piece - 1];
  const auto examples = work.examples.slice(first, work.piece_ends[piece]);
  const auto* plan = &work.plan;
  if (work.piece_ends.size() > 1) {
    // The rows of the whole batch, so that all pieces share the pulled values' layout.
    piece_plan_.keys = work.plan.keys;
    const auto rows_of = [&](std::size_t example) {
      return work.plan.rows.begin() +
             (work.examples.offsets.empty()
                  ? 0
                  : work.examples.offsets[example] - work.examples.offsets[0]);
    };
    piece_plan_.rows.assign(rows_of(first), rows_of(work.piece_ends[piece]));
    plan = &piece_plan_;
  }
  const auto& layout = slicer_.layout();
  const auto keys = work.plan.keys.size();
  auto& buffer = piece_gradients_[piece];
  buffer.resize(layout.body_floats(work.dense.size(), keys));
  const std::span<float> all(buffer);
  const auto metrics =
      model_->forward_backward(examples, *plan, values, work.scale,
                               view_of(all, work.dense.size(), keys, layout.row_widths()));
  if (!metrics) return metrics.failure();
  work.metrics += *metrics;
  return parameters::gradient{true, all.first(work.dense.size()), work.plan.keys,
                              all.subspan(work.dense.size())};
}

void step_computer::fill_pushes(step_work& work, const parameters::gradient& total) const {
  learning::parameter_view gradients{total.dense, {}};
  std::size_t at = 0;
  for (const auto width : slicer_.layout().row_widths()) {
    gradients.sparse.push_back(total.rows.subspan(at, total.keys.size() * width));
    at += total.keys.size() * width;
  }
  for (const auto& slice : work.slices) {
    const auto key_bytes = slice.keys.size() * sizeof(std::uint64_t);
    const auto floats = slicer_.body_floats(slice);
    const auto body = mesh::allocate_body(key_bytes + floats * sizeof(float));
    std::copy(slice.keys.begin(), slice.keys.end(),
              body.as<std::uint64_t>(0, slice.keys.size()).begin());
    slicer_.gather(slice, gradients, body.as<float>(key_bytes, floats));
    work.pushes.push_back(body);
  }
}

compute_actor::behavior_type compute(compute_actor::pointer self, worker_actor worker,
                                     std::shared_ptr<step_computer> computer) {
  return {[self, worker = std::move(worker),
           computer = std::move(computer)](const compute_request& request) {
    auto& work = *request.work;
    const auto begin = env::now(*self);
    const auto computed = computer->compute(work);
    work.compute_seconds = env::seconds_between(begin, env::now(*self));
    work.failure = computed ? std::optional<error>() : computed.failure();
    self->send(worker, compute_done{request.work});
  }};
}

} // namespace gradmesh::worker
