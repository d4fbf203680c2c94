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

learning::parameter_view values_of(const step_work& work, const table_rows& rows) {
  learning::parameter_view values{work.dense, {}, work.versions};
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
      sum_(slicer_.layout().row_widths()), by_snapshots_(options.svrg_epochs > 0) {
  const auto push_as = job::transfer_format_of(options.push_as);
  for (std::uint32_t shard = 0; shard < slicer_.map().shards(); ++shard)
    kept_->feedback.emplace_back(push_as, slicer_.map().dense_of_shard(shard).size(),
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
  if (auto begun = begin(work); !begun) return begun;
  if (const auto& fault = backend_->wait()) return error{errc::io_failed, fault.text};
  return end(work);
}

result<void> step_computer::prepare(step_work& work) {
  work.metrics = {};
  work.pushes.clear();
  if (work.scale == 0) return {};
  if (!work.own_writes.empty()) work.versions.clear(); // the values are not those that came
  if (auto added = own_writes_.add_to(work); !added) return added;
  auto& snapshot = kept_->snapshot;
  if (work.takes_snapshot)
    snapshot.assign(work.dense.begin(), work.dense.end());
  else if (!work.snapshot.empty())
    snapshot = std::exchange(work.snapshot, {});
  else if (by_snapshots_ && snapshot.size() != work.dense.size())
    return error{errc::refused, "step " + std::to_string(work.step) +
                                    " is to be corrected by a snapshot, and there was none"};
  return {};
}

void step_computer::upload_ahead(const step_work& work,
                                 std::span<const learning::dense_version> blocks) {
  model_->upload_ahead(work.dense, blocks);
}

result<void> step_computer::begin(step_work& work) {
  auto& next = flights_[(oldest_ + under_way_) % flights_.size()];
  next.begun = 0;
  const auto enqueued = enqueue(work, next);
  if (enqueued)
    ++under_way_;
  else
    for (; next.begun > 0; --next.begun)
      model_->abandon();
  return enqueued;
}

result<void> step_computer::enqueue(step_work& work, flight& to) {
  if (auto ready = prepare(work); !ready) return ready;
  if (work.scale == 0) {
    if (auto begun = model_->begin_evaluation(work.examples, work.plan, values_of(work, work.rows));
        !begun)
      return begun;
    to.begun = 1;
    return {};
  }
  const auto count = hogwild_ ? 1 : work.piece_ends.size();
  while (to.pieces.size() < count)
    to.pieces.emplace_back(*backend_);
  if (hogwild_) return descend(work, to);
  if (count == 1) return enqueue_piece(work, work.examples, work.plan, work.rows, to.pieces[0], to);
  for (std::size_t number = 0; number < count; ++number) {
    const auto first = number == 0 ? 0 : work.piece_ends[number - 1];
    const auto examples = work.examples.slice(first, work.piece_ends[number]);
    auto& own = to.pieces[number];
    own.plan = model_->plan(examples);
    cut_out(work, own);
    if (auto begun = enqueue_piece(work, examples, own.plan, own.rows, own, to); !begun)
      return begun;
  }
  return {};
}

result<void> step_computer::enqueue_piece(const step_work& work,
                                          const learning::example_view& examples,
                                          const learning::step_plan& plan, const table_rows& rows,
                                          piece& to, flight& of) {
  const auto& layout = slicer_.layout();
  const auto dense = work.dense.size();
  const auto floats = layout.body_floats(dense, plan.keys.size());
  const auto view = [&](std::span<float> all) {
    return view_of(all, dense, plan.keys.size(), layout.row_widths());
  };
  const auto all = to.gradients.room(floats);
  const bool corrected = by_snapshots_ && !work.takes_snapshot;
  const auto at_snapshot = to.at_snapshot.room(corrected ? floats : 0);
  if (backend_->failed()) return error{errc::limit_exceeded, backend_->wait().text};
  to.gradient = {true, all.first(dense), plan.keys, all.subspan(dense)};
  if (auto begun = model_->begin(examples, plan, values_of(work, rows), work.scale, view(all));
      !begun)
    return begun;
  ++of.begun;
  if (!corrected) return {};
  if (auto begun =
          model_->begin(examples, plan, {kept_->snapshot, {}}, work.scale, view(at_snapshot));
      !begun)
    return begun;
  ++of.begun;
  return {};
}

result<void> step_computer::end(step_work& work) {
  auto& done = flights_[oldest_];
  oldest_ = (oldest_ + 1) % flights_.size();
  --under_way_;
  if (work.scale == 0) {
    work.metrics = model_->end();
    return {};
  }
  const auto count = hogwild_ ? 1 : work.piece_ends.size();
  std::vector<parameters::gradient> parts;
  for (std::size_t number = 0; number < count; ++number) {
    auto& own = done.pieces[number];
    if (!hogwild_) work.metrics += model_->end();
    if (by_snapshots_ && !work.takes_snapshot) {
      (void)model_->end(); // the loss at the snapshot
      const auto all = own.gradients.room(own.gradient.dense.size());
      std::ranges::transform(all, own.at_snapshot.room(all.size()), all.begin(), std::minus<>());
    }
    parts.push_back(own.gradient);
  }
  const auto total = sum_.add(parts);
  if (!total) return total.failure();
  return fill_pushes(work, *total);
}

result<void> step_computer::descend(step_work& work, flight& to) {
  const auto& layout = slicer_.layout();
  const auto dense = work.dense.size();
  const auto keys = work.plan.keys.size();
  auto& own = to.pieces[0];
  const auto all = own.gradients.room(layout.body_floats(dense, keys));
  if (backend_->failed()) return error{errc::limit_exceeded, backend_->wait().text};
  // What was pulled is read by nobody else, so the threads change it where it is.
  learning::gradient_view parameters{work.dense, {}};
  for (auto& rows : work.rows)
    parameters.sparse.emplace_back(rows);
  const auto metrics =
      hogwild_->descend(work.examples, work.plan, parameters, work.scale, push_rate(work.step),
                        view_of(all, dense, keys, layout.row_widths()));
  if (!metrics) return metrics.failure();
  work.metrics = *metrics;
  own.gradient = {true, all.first(dense), work.plan.keys, all.subspan(dense)};
  return {};
}

void step_computer::cut_out(const step_work& work, piece& to) const {
  const auto& widths = slicer_.layout().row_widths();
  to.rows.resize(widths.size());
  for (std::size_t t = 0; t < widths.size(); ++t) {
    to.rows[t].resize(to.plan.keys.size() * widths[t]);
    auto* at = to.rows[t].data();
    auto key = work.plan.keys.begin(); // both lists ascend, and the batch has all of the piece's
    for (const auto wanted : to.plan.keys) {
      key = std::lower_bound(key, work.plan.keys.end(), wanted);
      const auto row = static_cast<std::size_t>(key - work.plan.keys.begin());
      at = std::copy_n(work.rows[t].data() + row * widths[t], widths[t], at);
    }
  }
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
      auto body = encode_part(kept_->feedback[shard], slice, part, gradients);
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
          },
          [](const compute_ahead&) { /* it reads them where they are */ }};
}

} // namespace gradmesh::worker
