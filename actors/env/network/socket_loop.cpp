#include "actors/env/network/socket_loop.hpp"

namespace gradmesh::env {
namespace {

network_events silent_events() {
  return {[](mesh::frame_ptr) {}, [](const peer&) {}, [](const peer&, const error&) {},
          [](const mesh::frame_ptr&, const error&) {},
          [](const config::endpoint&, const error&) {}};
}

} // namespace

socket_loop::socket_loop(kj::AsyncIoContext& io, const network_options& options,
                         network_events events, traffic& counters, loop_tasks& tasks, routes& up)
    : context_{*io.provider, *io.lowLevelProvider, io.unixEventPort,  io.provider->getTimer(),
               options,      greeting_of(options), std::move(events), counters,
               tasks},
      stopped_(kj::newPromiseAndFulfiller<void>()), peers_(context_, up),
      listener_(kj::heap<listener>(context_, peers_)), dialer_(kj::heap<dialer>(context_, peers_)),
      later_(*this) {}

void socket_loop::run(kj::AsyncIoContext& io) {
  context_.tasks.run(io.unixEventPort, *this)
      .exclusiveJoin(kj::mv(stopped_.promise))
      .wait(io.waitScope);
}

void socket_loop::serve(kj::AutoCloseFd listening) {
  if (listener_.get() == nullptr) return;
  listener_->serve(kj::mv(listening));
  if (context_.local_socket.empty()) listener_->serve_local();
}

void socket_loop::dial(const config::endpoint& to) {
  if (dialer_.get() != nullptr) dialer_->dial(to);
}

void socket_loop::run_later(std::function<void()> task) {
  later_.add(kj::evalLater([run = std::move(task)] { run(); }));
}

void socket_loop::taskFailed(kj::Exception&& e) {
  context_.log("a task of the network thread failed: " + std::string(e.getDescription().cStr()));
}

void socket_loop::stop(std::chrono::milliseconds linger) {
  context_.events = silent_events();
  listener_ = nullptr;
  dialer_ = nullptr;
  stopping_ = peers_.finish()
                  .exclusiveJoin(context_.after(linger))
                  .then([this] { stopped_.fulfiller->fulfill(); })
                  .eagerlyEvaluate(nullptr);
}

} // namespace gradmesh::env
