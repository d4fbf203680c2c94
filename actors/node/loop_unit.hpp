#pragma once

/// Hosts actors on the network's own thread, as CAF's multiplexer hosts its brokers: a frame that
/// came in is handled, and its answer written, without another thread having to wake up, which
/// halves the time of a small request. For actors that answer in microseconds; what computes or
/// reads files for longer would keep every link of the node waiting.
///
/// Thread-safe. After `close`, and wherever the network has no thread, the system's scheduler runs
/// the actors.

#include "actors/env/network/network.hpp"

#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace gradmesh::node {

class loop_unit final : public caf::execution_unit, public std::enable_shared_from_this<loop_unit> {
public:
  loop_unit(caf::actor_system& system, std::shared_ptr<env::network> network);

  void exec_later(caf::resumable* job) override;

  /// The network's thread runs now; until then actors wait.
  void open();
  /// The network's thread ends or has ended.
  void close();

private:
  void post();
  void run();
  void resume(caf::resumable* job);

  const std::shared_ptr<env::network> network_;
  std::mutex mutex_; // guards what follows
  std::vector<caf::resumable*> ready_;
  enum class phase : std::uint8_t { before, open, closed } phase_ = phase::before;
  bool posted_ = false;
};

/// An actor of class `Impl` that runs on a loop unit, whoever sends to it.
template <class Impl>
class hosted final : public Impl {
public:
  hosted(caf::actor_config& config, std::shared_ptr<loop_unit> host)
      : Impl(config), host_(std::move(host)) {}

  using Impl::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) override {
    Impl::enqueue(std::move(element), host_.get());
  }

private:
  const std::shared_ptr<loop_unit> host_;
};

} // namespace gradmesh::node
