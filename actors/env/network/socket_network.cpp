#include "actors/env/network/socket_network.hpp"

#include "actors/env/network/send_rules.hpp"
#include "actors/env/network/socket_loop.hpp"
#include "actors/env/network/tcp.hpp"

#include <csignal>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace gradmesh::env {
namespace {

/// Events that the loop runs before it looks for new input, so that a busy bulk lane does not keep
/// a control lane waiting.
constexpr kj::uint events_per_poll = 64;

class socket_network final : public network {
public:
  explicit socket_network(network_options options) : options_(std::move(options)) {}
  ~socket_network() noexcept override { stop(std::chrono::milliseconds(0)); }

  result<void> start(network_events events) override;
  result<config::endpoint> listen(const config::endpoint& at) override;
  void connect(const config::endpoint& to) override;
  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override;
  void disconnect(const mesh::node_uuid& peer, error why) override;
  bool post(std::function<void()> task) override;
  void stop(std::chrono::milliseconds linger) override;
  network_stats stats() const override;

private:
  void run(network_events events, std::promise<result<void>> started);
  void wake_writer(const mesh::node_identity& to, mesh::lane l);
  bool on_loop_thread() const { return std::this_thread::get_id() == loop_thread_id_; }

  const network_options options_;
  traffic counters_;
  routes routes_;
  std::optional<loop_tasks> tasks_;
  std::mutex stop_mutex_;
  std::thread thread_;
  // Set before `start` returns.
  std::thread::id loop_thread_id_;
  socket_loop* loop_ = nullptr; // to be used on the loop thread only
  std::atomic<bool> ended_{false};
};

result<void> socket_network::start(network_events events) {
  std::promise<result<void>> started;
  auto outcome = started.get_future();
  try {
    tasks_.emplace();
    thread_ = std::thread(&socket_network::run, this, std::move(events), std::move(started));
  } catch (const std::system_error& e) {
    return {errc::io_failed, std::string("cannot start the network thread: ") + e.what()};
  }
  return outcome.get();
}

void socket_network::run(network_events events, std::promise<result<void>> started) {
  // Signals are for the threads that wait for them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  bool running = false;
  try {
    auto io = kj::setupAsyncIo();
    io.waitScope.setBusyPollInterval(events_per_poll);
    socket_loop loop(io, options_, std::move(events), counters_, *tasks_, routes_);
    loop_thread_id_ = std::this_thread::get_id();
    loop_ = &loop;
    running = true;
    started.set_value({});
    loop.run(io);
  } catch (const kj::Exception& e) {
    const error failed{errc::io_failed, "the network thread ended: " + reason_of(e)};
    if (!running) started.set_value(failed);
    if (options_.log) options_.log(failed.text);
  }
}

result<config::endpoint> socket_network::listen(const config::endpoint& at) {
  auto opened = open_listening(at);
  if (!opened) return opened.failure();
  const auto bound = opened->bound;
  auto socket = std::make_shared<kj::AutoCloseFd>(kj::mv(opened->descriptor));
  tasks_->post([socket](socket_loop& loop) { loop.serve(kj::mv(*socket)); });
  return bound;
}

void socket_network::connect(const config::endpoint& to) {
  tasks_->post([to](socket_loop& loop) { loop.dial(to); });
}

result<void> socket_network::send(const mesh::node_uuid& to, mesh::frame_ptr f) {
  if (auto sendable = check_sendable(*f, options_.self); !sendable) return sendable;
  const auto queues = routes_.find(to);
  if (!queues) return no_such_peer(to);
  const auto lane = f->header.lane;
  const auto bytes = f->wire_bytes();
  switch (queues->at(lane).push(std::move(f))) {
  case send_queue::pushed::queued:
    break;
  case send_queue::pushed::wake_writer:
    wake_writer(queues->identity, lane);
    break;
  case send_queue::pushed::closed:
    return no_such_peer(to);
  case send_queue::pushed::full: {
    if (lane == mesh::lane::bulk) {
      counters_.sends_refused.fetch_add(1, std::memory_order_relaxed);
      return bulk_queue_full(to, bytes, options_.queue_bytes_max);
    }
    auto full = control_queue_full(to, bytes);
    tasks_->post(
        [who = queues->identity, full](socket_loop& loop) { loop.peers().drop(who, full); });
    return full;
  }
  }
  return {};
}

void socket_network::wake_writer(const mesh::node_identity& to, mesh::lane l) {
  if (on_loop_thread()) return loop_->peers().wake_writer(to, l);
  tasks_->post([to, l](socket_loop& loop) { loop.peers().wake_writer(to, l); });
}

void socket_network::disconnect(const mesh::node_uuid& peer, error why) {
  tasks_->post([peer, why](socket_loop& loop) { loop.peers().drop(peer, why); });
}

bool socket_network::post(std::function<void()> task) {
  if (!tasks_ || ended_) return false;
  if (on_loop_thread())
    loop_->run_later(std::move(task));
  else
    tasks_->post([run = std::move(task)](socket_loop&) { run(); });
  return true;
}

void socket_network::stop(std::chrono::milliseconds linger) {
  const std::lock_guard lock(stop_mutex_);
  if (!thread_.joinable()) return;
  tasks_->post([linger](socket_loop& loop) { loop.stop(linger); });
  thread_.join();
  ended_ = true;
}

network_stats socket_network::stats() const {
  return {counters_.frames_sent,    counters_.frames_received, counters_.bytes_sent,
          counters_.bytes_received, counters_.frames_refused,  counters_.queued_bytes,
          counters_.roles_refused,  counters_.sends_refused};
}

} // namespace

std::unique_ptr<network> make_socket_network(network_options options) {
  return std::make_unique<socket_network>(std::move(options));
}

} // namespace gradmesh::env
