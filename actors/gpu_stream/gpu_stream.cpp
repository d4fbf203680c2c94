#include "actors/gpu_stream/gpu_stream.hpp"

#include "actors/defaults.hpp"
#include "actors/worker/step_work.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <utility>

namespace gradmesh::gpu_stream {

void gpu_stream_state::take(std::shared_ptr<worker::step_work> work) {
  if (waiting.size() >= options.waiting_max) {
    work->failure =
        error{errc::limit_exceeded, std::to_string(waiting.size()) + " steps wait for device " +
                                        std::string(program->backend().name()) +
                                        " already; hand over the next when one has come back"};
    return self->send(client, compute_done{std::move(work)});
  }
  waiting.push_back(std::move(work));
  begin_next();
}

void gpu_stream_state::begin_next() {
  while (running.size() < program->steps_at_once() && !waiting.empty()) {
    auto next = std::move(waiting.front());
    waiting.pop_front();
    begin(std::move(next));
    if (program->backend().failed()) return (void)lost();
  }
}

void gpu_stream_state::begin(std::shared_ptr<worker::step_work> work) {
  if (running.empty()) began = env::now(*self);
  if (ahead == work) ahead = nullptr;
  running.push_back({std::move(work), ++number});
  auto& next = *running.back().work;
  const auto begun = program->begin(next);
  if (program->backend().failed()) return;
  next.failure = begun ? std::optional<error>() : begun.failure();
  // Also after a failure: what was enqueued before it must be over before the buffers are used.
  program->backend().when_done([stream = gpu_stream_actor(self), which = number] {
    caf::anon_send(stream, device_done{which});
  });
  if (!watching) {
    watching = true;
    self->delayed_send(self, defaults::gpu_stream::watch_interval, tick{});
  }
}

void gpu_stream_state::copy_ahead(const compute_ahead& what) {
  if (!waiting.empty()) return;
  // Nobody begins the step before; its memory is somebody else's once it is let go.
  if (ahead && ahead != what.work && program->backend().wait()) return (void)lost();
  ahead = what.work;
  program->upload_ahead(*what.work, what.blocks);
  if (program->backend().failed()) (void)lost();
}

void gpu_stream_state::on_done(std::uint64_t which) {
  if (running.empty() || which != running.front().number || lost()) return;
  auto work = std::move(running.front().work);
  if (!work->failure) {
    const auto ended = program->end(*work);
    if (!ended) work->failure = ended.failure();
  }
  running.pop_front();
  const auto now = env::now(*self);
  work->compute_seconds = std::chrono::duration<double>(now - began).count();
  began = now;
  count_copies();
  self->send(client, compute_done{std::move(work)});
  begin_next();
}

void gpu_stream_state::count_copies() {
  if (!options.health) return;
  const auto& now = program->backend().copies();
  options.health->bytes_copied += now.in + now.out - counted.in - counted.out;
  options.health->bytes_spared += now.spared - counted.spared;
  counted = now;
}

void gpu_stream_state::on_tick() {
  watching = !running.empty();
  if (running.empty()) return;
  // A device that is lost never says that it is done.
  if (lost()) return;
  if (env::now(*self) - began > options.step_timeout)
    return end_with(std::string(program->backend().name()) + " is not done with step " +
                    std::to_string(running.front().work->step) + " after " +
                    std::to_string(options.step_timeout.count()) + " s");
  self->delayed_send(self, defaults::gpu_stream::watch_interval, tick{});
}

bool gpu_stream_state::lost() {
  const auto& fault = program->backend().look();
  if (fault) end_with(fault.text);
  return static_cast<bool>(fault);
}

void gpu_stream_state::end_with(const std::string& why) {
  self->quit(caf::make_error(caf::sec::runtime_error, why));
}

gpu_stream_actor::behavior_type gpu_stream(gpu_stream_state::pointer self, compute_client client,
                                           std::shared_ptr<std::unique_ptr<step_program>> program,
                                           stream_options options) {
  auto& state = self->state;
  state.self = self;
  state.client = std::move(client);
  state.program = std::move(*program);
  state.options = options;
  return {[self](const compute_request& request) { self->state.take(request.work); },
          [self](const compute_ahead& what) { self->state.copy_ahead(what); },
          [self](const device_done& done) { self->state.on_done(done.number); },
          [self](const tick&) { self->state.on_tick(); }};
}

} // namespace gradmesh::gpu_stream
