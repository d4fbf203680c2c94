#include "actors/env/network/memory_network.hpp"

#include "actors/env/network/memory_wire.hpp"

namespace gradmesh::env {
namespace {

class memory_network final : public network {
public:
  memory_network(std::shared_ptr<memory_wire> wire, network_options options)
      : wire_(std::move(wire)), node_(std::make_shared<memory_node>(std::move(options))) {}
  ~memory_network() override { stop(std::chrono::milliseconds(0)); }

  result<void> start(network_events events) override {
    wire_->enter(node_, std::move(events));
    return {};
  }
  result<config::endpoint> listen(const config::endpoint& at) override {
    return wire_->listen(node_, at);
  }
  void connect(const config::endpoint& to) override { wire_->connect(node_, to); }
  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
    return wire_->send(node_, to, std::move(f));
  }
  void disconnect(const mesh::node_uuid& peer, error why) override {
    wire_->disconnect(node_, peer, why);
  }
  bool post(std::function<void()>) override { return false; }
  void stop(std::chrono::milliseconds) override {
    wire_->leave(node_, {errc::node_lost, "the peer closed the connection"});
  }
  network_stats stats() const override { return wire_->stats(*node_); }

private:
  std::shared_ptr<memory_wire> wire_;
  memory_node_ptr node_;
};

} // namespace

memory_hub::memory_hub() : wire_(std::make_shared<memory_wire>()) {}
memory_hub::~memory_hub() = default;

void memory_hub::cut(const mesh::node_uuid& node) {
  wire_->cut(node);
}

std::unique_ptr<network> make_memory_network(std::shared_ptr<memory_hub> hub,
                                             network_options options) {
  return std::make_unique<memory_network>(hub->wire_, std::move(options));
}

} // namespace gradmesh::env
