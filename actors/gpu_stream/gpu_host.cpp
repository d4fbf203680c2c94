#include "actors/gpu_stream/gpu_host.hpp"

#include "actors/defaults.hpp"
#include "actors/node/spawn.hpp"
#include "actors/worker/step_work.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <utility>

namespace gradmesh::gpu_stream {

gpu_host_state::~gpu_host_state() {
  if (stream) caf::anon_send_exit(stream, caf::exit_reason::user_shutdown);
}

void gpu_host_state::start(std::unique_ptr<step_program> program) {
  stream = node::spawn(self->system(), options.place, gpu_stream, compute_client(self),
                       std::make_shared<std::unique_ptr<step_program>>(std::move(program)),
                       options.stream);
  self->monitor(stream);
  for (const auto& work : under_way)
    self->send(stream, compute_request{work});
}

void gpu_host_state::take(std::shared_ptr<worker::step_work> work) {
  under_way.push_back(work);
  self->send(stream, compute_request{std::move(work)});
}

void gpu_host_state::on_done(const compute_done& done) {
  std::erase(under_way, done.work);
  failures = 0;
  self->send(client, done);
}

void gpu_host_state::on_down(const caf::down_msg& down) {
  if (down.source != stream) return;
  const auto why = self->system().render(down.reason);
  if (options.health->on_cpu)
    return self->quit(
        caf::make_error(caf::sec::runtime_error, "computing on the CPU failed: " + why));
  if (++failures > defaults::gpu_stream::fresh_starts_max) return fall_back(why);
  auto fresh = make(place::device);
  if (!fresh) return fall_back(why + "; then: " + fresh.failure().text);
  options.health->fresh_starts += 1;
  options.log(env::severity::warning, options.device + " failed and was started afresh: " + why);
  start(std::move(*fresh));
}

void gpu_host_state::fall_back(const std::string& why) {
  auto program = make(place::cpu);
  if (!program) return self->quit(caf::make_error(caf::sec::runtime_error, program.failure().text));
  options.health->on_cpu = true;
  options.log(env::severity::warning,
              options.device + " is given up, and this worker goes on on its CPU: " + why);
  start(std::move(*program));
}

gpu_host_actor::behavior_type gpu_host(gpu_host_state::pointer self, compute_client client,
                                       std::shared_ptr<std::unique_ptr<step_program>> first,
                                       program_maker make, host_options options) {
  auto& state = self->state;
  state.self = self;
  state.client = std::move(client);
  state.make = std::move(make);
  state.options = std::move(options);
  state.options.stream.health = state.options.health;
  self->set_down_handler([self](const caf::down_msg& down) { self->state.on_down(down); });
  state.start(std::move(*first));
  return {[self](const compute_request& request) { self->state.take(request.work); },
          [self](const compute_ahead& what) { self->send(self->state.stream, what); },
          [self](const compute_done& done) { self->state.on_done(done); }};
}

} // namespace gradmesh::gpu_stream
