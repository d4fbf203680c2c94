#include "tools/simulation/tapped_network.hpp"

#include <utility>

namespace gradmesh::simulation {
namespace {

class tapped_network final : public env::network {
public:
  tapped_network(std::shared_ptr<env::network> below, wire_tap tap)
      : below_(std::move(below)), tap_(std::move(tap)) {}

  result<void> start(env::network_events events) override {
    return below_->start(std::move(events));
  }
  result<config::endpoint> listen(const config::endpoint& at) override {
    return below_->listen(at);
  }
  void connect(const config::endpoint& to) override { below_->connect(to); }
  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
    for (auto repeats = tap_(to, f); repeats > 1; --repeats)
      if (auto sent = below_->send(to, f); !sent) return sent;
    return below_->send(to, std::move(f));
  }
  void disconnect(const mesh::node_uuid& peer, error why) override {
    below_->disconnect(peer, std::move(why));
  }
  bool post(std::function<void()> task) override { return below_->post(std::move(task)); }
  void stop(std::chrono::milliseconds linger) override { below_->stop(linger); }
  env::network_stats stats() const override { return below_->stats(); }

private:
  const std::shared_ptr<env::network> below_;
  const wire_tap tap_;
};

} // namespace

std::shared_ptr<env::network> make_tapped_network(std::shared_ptr<env::network> below,
                                                  wire_tap tap) {
  return std::make_shared<tapped_network>(std::move(below), std::move(tap));
}

} // namespace gradmesh::simulation
