#include "actors/env/network/delayed_network.hpp"

#include "actors/env/network/send_rules.hpp"

#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace gradmesh::env {
namespace {

/// Before a frame is tried again for which there was no room.
constexpr std::chrono::milliseconds pause_when_full{1};

class delayed_network final : public network, public std::enable_shared_from_this<delayed_network> {
public:
  delayed_network(std::shared_ptr<network> below, const network_options& options,
                  std::chrono::milliseconds delay, run_later later)
      : below_(std::move(below)), self_(options.self), queue_bytes_max_(options.queue_bytes_max),
        delay_(delay), later_(std::move(later)) {}
  ~delayed_network() override { stop(std::chrono::milliseconds(0)); }

  result<void> start(network_events events) override {
    auto watched = events;
    watched.on_peer_up = [this, up = events.on_peer_up](const peer& who) {
      {
        const std::lock_guard lock(mutex_);
        peers_.try_emplace(who.identity.uuid);
      }
      up(who);
    };
    // What was sent to a peer that is gone must not reach the one that takes its name.
    watched.on_peer_down = [this, down = events.on_peer_down](const peer& who, const error& why) {
      {
        const std::lock_guard lock(mutex_);
        peers_.erase(who.identity.uuid);
      }
      down(who, why);
    };
    return below_->start(std::move(watched));
  }

  result<config::endpoint> listen(const config::endpoint& at) override {
    return below_->listen(at);
  }
  void connect(const config::endpoint& to) override { below_->connect(to); }
  void disconnect(const mesh::node_uuid& peer, error why) override {
    below_->disconnect(peer, std::move(why));
  }
  bool post(std::function<void()> task) override { return below_->post(std::move(task)); }

  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
    if (auto sendable = check_sendable(*f, self_); !sendable) return sendable;
    const auto lane = f->header.lane;
    {
      const std::lock_guard lock(mutex_);
      const auto found = peers_.find(to);
      if (found == peers_.end()) return no_such_peer(to);
      auto& held = found->second[static_cast<std::size_t>(lane)];
      const auto bytes = f->wire_bytes();
      if (lane == mesh::lane::bulk && held.bytes > 0 && held.bytes + bytes > queue_bytes_max_) {
        ++refused_;
        return bulk_queue_full(to, bytes, queue_bytes_max_);
      }
      held.bytes += bytes;
      held.frames.push_back(std::move(f));
    }
    release_later(delay_, to, lane);
    return {};
  }

  void stop(std::chrono::milliseconds linger) override {
    decltype(peers_) left;
    {
      const std::lock_guard lock(mutex_);
      left.swap(peers_);
    }
    for (auto& [to, lanes] : left)
      for (auto& held : lanes)
        for (auto& f : held.frames)
          (void)below_->send(to, std::move(f));
    below_->stop(linger);
  }

  network_stats stats() const override {
    auto now = below_->stats();
    const std::lock_guard lock(mutex_);
    now.sends_refused += refused_;
    for (const auto& [to, lanes] : peers_)
      for (const auto& held : lanes)
        now.queued_bytes += held.bytes;
    return now;
  }

private:
  struct held_frames {
    std::deque<mesh::frame_ptr> frames;
    std::size_t bytes = 0;
  };

  /// One call for each held frame, which lets the oldest of them go: so they stay in order.
  void release_later(std::chrono::milliseconds after, const mesh::node_uuid& to, mesh::lane lane) {
    later_(after, [weak = weak_from_this(), to, lane] {
      if (const auto self = weak.lock()) self->release(to, lane);
    });
  }

  void release(const mesh::node_uuid& to, mesh::lane lane) {
    mesh::frame_ptr f;
    {
      const std::lock_guard lock(mutex_);
      auto* held = held_for(to, lane);
      if (!held || held->frames.empty()) return;
      f = std::move(held->frames.front());
      held->frames.pop_front();
      held->bytes -= f->wire_bytes();
    }
    const auto sent = below_->send(to, f);
    if (sent || sent.failure().code != errc::retry_later) return;
    {
      const std::lock_guard lock(mutex_);
      auto* held = held_for(to, lane);
      if (!held) return;
      held->bytes += f->wire_bytes();
      held->frames.push_front(std::move(f));
    }
    release_later(pause_when_full, to, lane);
  }

  held_frames* held_for(const mesh::node_uuid& to, mesh::lane lane) {
    const auto found = peers_.find(to);
    return found == peers_.end() ? nullptr : &found->second[static_cast<std::size_t>(lane)];
  }

  const std::shared_ptr<network> below_;
  const mesh::node_identity self_;
  const std::size_t queue_bytes_max_;
  const std::chrono::milliseconds delay_;
  const run_later later_;
  mutable std::mutex mutex_; // guards what follows
  std::map<mesh::node_uuid, std::array<held_frames, mesh::lane_count>> peers_; // that are up
  std::uint64_t refused_ = 0;
};

} // namespace

std::shared_ptr<network> make_delayed_network(std::shared_ptr<network> below,
                                              const network_options& options,
                                              std::chrono::milliseconds delay, run_later later) {
  return std::make_shared<delayed_network>(std::move(below), options, delay, std::move(later));
}

} // namespace gradmesh::env
