#include "actors/worker/compute.hpp"

#include "actors/env/random.hpp"
#include "gpu/cpu_backend.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace gradmesh::worker {
namespace {

/// What is kept for rows of what their pushes lost, for each shard.
constexpr std::size_t row_residual_bytes_max = 64u << 20;

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

learning::parameter_view values_of(const std::vector<float>& dense,
                                   const std::vector<std::vector<float>>& rows) {
  learning::parameter_view values{dense, {}};
  for (const auto& table : rows)
    values.sparse.emplace_back(table);
  return values;
}

} // namespace

step_computer::step_computer(std::unique_ptr<gpu::backend> backend,
                             std::unique_ptr<learning::model> model, parameters::slicer slicer,
                             const config::job_section& options)
    : backend_(std::move(backend)), model_(std::move(model)), slicer_(std::move(slicer)),
      own_writes_(slicer_, job::transfer_format_of(options.push_as),
                  [this](std::uint64_t step) { return push_rate(step); }),
      sum_(slicer_.layout().row_widths()), by_snapshots_(options.svrg_epochs > 0),
      gradients_under_way_(*backend_) {
  const auto push_as = job::transfer_format_of(options.push_as);
  for (std::uint32_t shard = 0; shard < slicer_.map().shards(); ++shard)
    feedback_.emplace_back(push_as, slicer_.map().dense_of_shard(shard).size(),
                           slicer_.layout().row_widths(), row_residual_bytes_max);
}

result<std::unique_ptr<step_computer>> step_computer::make(const job::job_plan& plan,
                                                           const env::team_maker& make_team,
                                                           std::unique_ptr<gpu::backend> backend) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  if (!backend) backend = gpu::make_cpu_backend();
  auto model = learning::make_model(job::model_options_of(plan.config), plan.shape, *backend);
  if (!model) return model.failure();
  if ((*model)->tables() != plan.tables)
    return error{errc::refused, "the plan's tables are not those of model '" +
                                    job::model_options_of(plan.config).kind +
                                    "' here; do all nodes run the same version?"};
  std::unique_ptr<step_computer> made(
      new step_computer(std::move(backend), std::move(*model),
                        parameters::slicer(plan.tables, std::move(*map)), plan.config.job));
  made->schedule_ = job::rate_schedule_of(plan.config);
  made->steps_total_ = plan.steps;
  made->pushes_per_rate_ = plan.sums_steps() ? 1.0F : static_cast<float>(plan.pieces);
  if (plan.config.job.threads > 1)
    if (auto added = made->add_threads(plan, make_team); !added) return added.failure();
  return made;
}

result<void> step_computer::add_threads(const job::job_plan& plan,
                                        const env::team_maker& make_team) {
  const auto threads = plan.config.job.threads;
  if (!make_team)
    return error{errc::refused, "job.threads is " + std::to_string(threads) +
                                    ", but steps are computed by one thread here; set it to 1"};
  auto team = make_team(threads);
  if (!team) return team.failure();
  auto hogwild =
      learning::hogwild::make(job::model_options_of(plan.config), plan.shape, std::move(*team));
  if (!hogwild) return hogwild.failure();
  hogwild_ = std::move(*hogwild);
  return {};
}

float step_computer::push_rate(std::uint64_t step) const {
  return static_cast<float>(parameters::rate_at(schedule_, step, steps_total_)) / pushes_per_rate_;
}

result<void> step_computer::compute(step_work& work) {
  if (auto ready = prepare(work); !ready) return ready;
  return compute_whole(work);
}

result<void> step_computer::prepare(step_work& work) {
  work.metrics = {};
  work.pushes.clear();
  if (work.scale == 0) return {};
  if (auto added = own_writes_.add_to(work); !added) return added;
  if (work.takes_snapshot)
    snapshot_ = work.dense;
  else if (!work.snapshot.empty())
    snapshot_ = std::exchange(work.snapshot, {});
  else if (by_snapshots_ && snapshot_.size() != work.dense.size())
    return error{errc::refused, "step " + std::to_string(work.step) +
                                    " is to be corrected by a snapshot, and there was none"};
  return {};
}

result<void> step_computer::compute_whole(step_work& work) {
  if (work.scale == 0) {
    const auto metrics =
        model_->evaluate(work.examples, work.plan, values_of(work.dense, work.rows));
    if (!metrics) return metrics.failure();
    work.metrics = *metrics;
    return {};
  }
  const auto total = hogwild_ ? descend(work) : whole_gradient(work);
  if (!total) return total.failure();
  return fill_pushes(work, *total);
}

bool step_computer::goes_on_alone(const step_work& work) const {
  return work.scale != 0 && work.piece_ends.size() == 1 && !hogwild_ && !by_snapshots_;
}

std::span<float> step_computer::room_for_gradients(const step_work& work) {
  return gradients_under_way_.room(
      slicer_.layout().body_floats(work.dense.size(), work.plan.keys.size()));
}

result<void> step_computer::begin(step_work& work) {
  if (auto ready = prepare(work); !ready) return ready;
  under_way_ = goes_on_alone(work);
  if (!under_way_) return compute_whole(work);
  const auto gradients = room_for_gradients(work);
  if (backend_->failed()) return error{errc::limit_exceeded, backend_->wait().text};
  return model_->begin(
      work.examples, work.plan, values_of(work.dense, work.rows), work.scale,
      view_of(gradients, work.dense.size(), work.plan.keys.size(), slicer_.layout().row_widths()));
}

result<void> step_computer::end(step_work& work) {
  if (!under_way_) return {};
  under_way_ = false;
  const auto metrics = model_->end();
  if (!metrics) return metrics.failure();
  work.metrics = *metrics;
  const std::span<const float> all = room_for_gradients(work);
  return fill_pushes(
      work, {true, all.first(work.dense.size()), work.plan.keys, all.subspan(work.dense.size())});
}

result<parameters::gradient> step_computer::descend(step_work& work) {
  const auto& layout = slicer_.layout();
  if (pieces_.empty()) pieces_.resize(1);
  auto& gradients = pieces_[0].gradients;
  gradients.resize(layout.body_floats(work.dense.size(), work.plan.keys.size()));
  const std::span<float> all(gradients);
  // What was pulled is read by nobody else, so the threads change it where it is.
  learning::gradient_view parameters{work.dense, {}};
  for (auto& rows : work.rows)
    parameters.sparse.emplace_back(rows);
  const auto metrics = hogwild_->descend(
      work.examples, work.plan, parameters, work.scale, push_rate(work.step),
      view_of(all, work.dense.size(), work.plan.keys.size(), layout.row_widths()));
  if (!metrics) return metrics.failure();
  work.metrics = *metrics;
  return parameters::gradient{true, all.first(work.dense.size()), work.plan.keys,
                              all.subspan(work.dense.size())};
}

result<parameters::gradient> step_computer::whole_gradient(step_work& work) {
  const auto count = work.piece_ends.size();
  if (pieces_.size() < count) pieces_.resize(count);
  if (count == 1)
    return gradient_of(work, work.examples, work.plan, work.rows, pieces_[0].gradients);
  std::vector<parameters::gradient> parts;
  for (std::size_t number = 0; number < count; ++number) {
    auto part = gradient_of_piece(work, number);
    if (!part) return part.failure();
    parts.push_back(*part);
  }
  return sum_.add(parts);
}

result<parameters::gradient> step_computer::gradient_of_piece(step_work& work, std::size_t number) {
  const auto first = number == 0 ? 0 : work.piece_ends[number - 1];
  const auto examples = work.examples.slice(first, work.piece_ends[number]);
  auto& own = pieces_[number];
  own.plan = model_->plan(examples);
  const auto& widths = slicer_.layout().row_widths();
  own.rows.resize(widths.size());
  for (std::size_t t = 0; t < widths.size(); ++t) {
    own.rows[t].resize(own.plan.keys.size() * widths[t]);
    auto* to = own.rows[t].data();
    auto key = work.plan.keys.begin(); // both lists ascend, and the batch has all of the piece's
    for (const auto wanted : own.plan.keys) {
      key = std::lower_bound(key, work.plan.keys.end(), wanted);
      const auto row = static_cast<std::size_t>(key - work.plan.keys.begin());
      to = std::copy_n(work.rows[t].data() + row * widths[t], widths[t], to);
    }
  }
  return gradient_of(work, examples, own.plan, own.rows, own.gradients);
}

result<parameters::gradient> step_computer::gradient_of(step_work& work,
                                                        const learning::example_view& examples,
                                                        const learning::step_plan& plan,
                                                        const std::vector<std::vector<float>>& rows,
                                                        std::vector<float>& gradients) {
  const auto& layout = slicer_.layout();
  gradients.resize(layout.body_floats(work.dense.size(), plan.keys.size()));
  const std::span<float> all(gradients);
  const auto metrics = model_->forward_backward(
      examples, plan, values_of(work.dense, rows), work.scale,
      view_of(all, work.dense.size(), plan.keys.size(), layout.row_widths()));
  if (!metrics) return metrics.failure();
  work.metrics += *metrics;
  if (by_snapshots_ && !work.takes_snapshot)
    if (auto done = subtract_snapshot(examples, plan, work.scale, all); !done)
      return done.failure();
  return parameters::gradient{true, all.first(work.dense.size()), plan.keys,
                              all.subspan(work.dense.size())};
}

result<void> step_computer::subtract_snapshot(const learning::example_view& examples,
                                              const learning::step_plan& plan, float scale,
                                              std::span<float> gradients) {
  snapshot_gradients_.resize(gradients.size());
  const auto metrics =
      model_->forward_backward(examples, plan, {snapshot_, {}}, scale, {snapshot_gradients_, {}});
  if (!metrics) return metrics.failure();
  std::ranges::transform(gradients, snapshot_gradients_, gradients.begin(), std::minus<>());
  return {};
}

result<void> step_computer::fill_pushes(step_work& work, const parameters::gradient& total) {
  learning::parameter_view gradients{total.dense, {}};
  std::size_t at = 0;
  for (const auto width : slicer_.layout().row_widths()) {
    gradients.sparse.push_back(total.rows.subspan(at, total.keys.size() * width));
    at += total.keys.size() * width;
  }
  for (std::size_t shard = 0; shard < work.slices.size(); ++shard) {
    const auto& slice = work.slices[shard];
    auto& bodies = work.pushes.emplace_back();
    for (const auto& part : slice.parts) {
      auto body = encode_part(feedback_[shard], slice, part, gradients);
      if (!body) return body.failure();
      bodies.push_back(*body);
    }
  }
  return {};
}

result<mesh::writable_body> step_computer::encode_part(parameters::error_feedback& feedback,
                                                       const parameters::slice& slice,
                                                       const parameters::part& part,
                                                       const learning::parameter_view& gradients) {
  const auto keys = part.dense
                        ? std::span<const std::uint64_t>()
                        : std::span(slice.keys).subspan(part.elements.first, part.elements.size());
  const auto floats = parameters::part_floats(part, slicer_.layout().floats_per_key());
  const auto body =
      mesh::allocate_body(keys.size_bytes() + parameters::encoded_bytes(feedback.format(), floats));
  std::ranges::copy(keys, body.as<std::uint64_t>(0, keys.size()).begin());
  if (feedback.format() == parameters::transfer_format::float32) {
    slicer_.gather(slice, part, gradients, body.as<float>(keys.size_bytes(), floats));
    return body;
  }
  values_.resize(floats);
  slicer_.gather(slice, part, gradients, values_);
  const auto room = body.bytes.subspan(keys.size_bytes());
  auto encoded = part.dense ? feedback.encode_dense(part.elements.first, values_, room)
                            : feedback.encode_rows(keys, values_, room);
  if (!encoded) return encoded.failure();
  return body;
}

env::time_point::duration step_pace::time_for(std::uint64_t step,
                                              env::time_point::duration took) const {
  if (least.count() == 0 && slowdown == 1) return took;
  const auto longest = std::max<env::time_point::duration>(least, took);
  // 53 bits: every double in [0, 1) of that spacing is as likely.
  const auto draw = static_cast<double>(env::random_stream(seed + step).next() >> 11) * 0x1p-53;
  if (draw >= slow_part) return longest;
  return std::chrono::duration_cast<env::time_point::duration>(
      std::chrono::duration<double, env::time_point::period>(longest) * slowdown);
}

compute_actor::behavior_type compute(compute_actor::pointer self, worker_actor worker,
                                     std::shared_ptr<step_computer> computer, step_pace pace) {
  return {[self, worker = std::move(worker), computer = std::move(computer),
           pace](const compute_request& request) {
    auto& work = *request.work;
    const auto begin = env::now(*self);
    const auto computed = computer->compute(work);
    work.failure = computed ? std::optional<error>() : computed.failure();
    const auto took = env::now(*self) - begin;
    const auto time = pace.time_for(work.step, took);
    work.compute_seconds = std::chrono::duration<double>(time).count();
    if (time > took)
      self->delayed_send(worker, time - took, compute_done{request.work});
    else
      self->send(worker, compute_done{request.work});
  }};
}

} // namespace gradmesh::worker
