#pragma once

/// Links between the nodes of a test, which deliver a frame when the test says so, and networks
/// that send by them. Everything in one thread.

#include "actors/env/network/network.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>

namespace gradmesh::testing {

/// Links between all nodes, first in first out.
class test_links {
public:
  using link = std::pair<std::uint8_t, std::uint8_t>; // from, to

  std::map<link, std::deque<mesh::frame_ptr>> waiting;
  std::map<std::uint8_t, std::function<void(const mesh::frame_ptr&)>> nodes;
  std::set<std::uint8_t> down;

  /// False: nothing waits on the link.
  bool deliver(link l) {
    const auto found = waiting.find(l);
    if (found == waiting.end() || found->second.empty()) return false;
    const auto f = std::move(found->second.front());
    found->second.pop_front();
    if (!down.contains(l.second)) nodes.at(l.second)(f);
    return true;
  }
  void cut(std::uint8_t node) {
    down.insert(node);
    for (auto& [l, frames] : waiting)
      if (l.first == node || l.second == node) frames.clear();
  }
};

class test_network final : public env::network {
public:
  test_network(std::uint8_t self, test_links& links) : self_(self), links_(links) {}
  result<void> start(env::network_events events) override {
    links_.nodes[self_] = [on_frame = std::move(events.on_frame)](const auto& f) { on_frame(f); };
    return {};
  }
  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
    const auto node = static_cast<std::uint8_t>(to[0]);
    if (links_.down.contains(node) || links_.down.contains(self_))
      return error{errc::unreachable, "the link is down"};
    links_.waiting[{self_, node}].push_back(std::move(f));
    return {};
  }
  result<config::endpoint> listen(const config::endpoint& at) override { return at; }
  void connect(const config::endpoint&) override {}
  void disconnect(const mesh::node_uuid&, error) override {}
  bool post(std::function<void()>) override { return false; }
  void stop(std::chrono::milliseconds) override {}
  env::network_stats stats() const override { return {}; }

private:
  std::uint8_t self_;
  test_links& links_;
};

} // namespace gradmesh::testing
