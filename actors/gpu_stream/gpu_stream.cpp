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
  if (running || waiting.empty()) return;
  running = std::move(waiting.front());
  waiting.pop_front();
  began = env::now(*self);
  const auto begun = program->begin(*running);
  if (program->backend().failed()) return (void)lost();
  running->failure = begun ? std::optional<error>() : begun.failure();
  // Also after a failure: what was enqueued before it must be over before the buffers are used.
  program->backend().when_done([stream = gpu_stream_actor(self), which = ++number] {
    caf::anon_send(stream, device_done{which});
  });
  if (!watching) {
    watching = true;
    self->delayed_send(self, defaults::gpu_stream::watch_interval, tick{});
  }
}

void gpu_stream_state::on_done(std::uint64_t which) {
  if (!running || which != number) return;
  if (lost()) return;
  if (!running->failure) {
    const auto ended = program->end(*running);
    if (lost()) return;
    if (!ended) running->failure = ended.failure();
  }
  running->compute_seconds = std::chrono::duration<double>(env::now(*self) - began).count();
  self->send(client, compute_done{std::move(running)});
  running = nullptr;
  begin_next();
}

void gpu_stream_state::on_tick() {
  watching = running != nullptr;
  if (!running) return;
  // A device that is lost never says that it is done.
  if (program->backend().idle() && lost()) return;
  if (env::now(*self) - began > options.step_timeout)
    return end_with(std::string(program->backend().name()) + " is not done with step " +
                    std::to_string(running->step) + " after " +
                    std::to_string(options.step_timeout.count()) + " s");
  self->delayed_send(self, defaults::gpu_stream::watch_interval, tick{});
}

bool gpu_stream_state::lost() {
  const auto& fault = program->backend().wait();
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
          [self](const device_done& done) { self->state.on_done(done.number); },
          [self](const tick&) { self->state.on_tick(); }};
}

} // namespace gradmesh::gpu_stream
