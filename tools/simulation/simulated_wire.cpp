#include "tools/simulation/simulated_wire.hpp"

#include "actors/env/network/send_rules.hpp"
#include "tools/simulation/simulated_link.hpp"

#include <algorithm>

namespace gradmesh::simulation {
namespace {

/// After which TCP's keepalive finds that a machine has vanished (actors/env/network/tcp.hpp).
constexpr std::chrono::seconds keepalive{60};
constexpr std::chrono::milliseconds ends_apart_max{20};

error closed_by_peer() {
  return {errc::node_lost, "the peer closed the connection"};
}

error broken() {
  return {errc::node_lost, "Connection reset by peer"};
}

} // namespace

/// The way from a node to the wire.
class simulated_network final : public env::network {
public:
  simulated_network(simulated_wire& wire, wire_node_ptr node)
      : wire_(wire), node_(std::move(node)) {}
  ~simulated_network() override { wire_.leave(node_); }

  result<void> start(env::network_events events) override {
    wire_.enter(node_, std::move(events));
    return {};
  }
  result<config::endpoint> listen(const config::endpoint& at) override {
    return wire_.listen(node_, at);
  }
  void connect(const config::endpoint& to) override { wire_.connect(node_, to); }
  result<void> send(const mesh::node_uuid& to, mesh::frame_ptr f) override {
    return wire_.send(node_, to, std::move(f));
  }
  void disconnect(const mesh::node_uuid& peer, error why) override {
    wire_.disconnect(node_, peer, why);
  }
  bool post(std::function<void()>) override { return false; }
  void stop(std::chrono::milliseconds) override { wire_.leave(node_); }
  env::network_stats stats() const override {
    auto now = node_->counters;
    for (const auto& [uuid, at] : node_->peers)
      for (const auto bytes : at.link->ends[at.side].waiting_bytes)
        now.queued_bytes += bytes;
    return now;
  }

private:
  simulated_wire& wire_;
  const wire_node_ptr node_;
};

std::shared_ptr<env::network> simulated_wire::make_network(host_id host,
                                                           env::network_options options) {
  return std::make_shared<simulated_network>(*this,
                                             std::make_shared<wire_node>(host, std::move(options)));
}

// --- nodes --------------------------------------------------------------------------------------

void simulated_wire::enter(const wire_node_ptr& node, env::network_events events) {
  node->events = std::move(events);
  node->on_wire = true;
  dark_.erase(node->host);
  nodes_.push_back(node);
}

void simulated_wire::off_the_wire(const wire_node_ptr& node) {
  node->on_wire = false;
  std::erase(nodes_, node);
  std::erase_if(listeners_, [&](const auto& item) { return item.second == node; });
}

void simulated_wire::leave(const wire_node_ptr& node) {
  if (!node->on_wire) return;
  off_the_wire(node);
  while (!node->peers.empty()) {
    const auto at = node->peers.begin()->second;
    close(at.link, at.side, {}, true);
  }
}

void simulated_wire::kill(host_id host, bool silently) {
  for (const auto& [link, side] : links_of(host)) {
    const auto other = 1 - side;
    link->severed = link->severed || silently;
    link->ends[side].node->on_wire = false; // it is not told
    close(link, side, {}, !silently);
    if (silently)
      time_.after(keepalive, [this, held = link, other] {
        close(held, other, {errc::node_lost, "Connection timed out"}, false);
      });
  }
  const auto dying = nodes_;
  for (const auto& node : dying)
    if (node->host == host) off_the_wire(node);
  hung_.erase(host);
  waiting_for_host_.erase(host);
  if (silently) dark_.insert(host);
}

result<config::endpoint> simulated_wire::listen(const wire_node_ptr& node,
                                                const config::endpoint& at) {
  if (!listeners_.try_emplace({at.host, at.port}, node).second)
    return {errc::io_failed,
            "cannot listen on " + config::to_string(at) + ": Address already in use"};
  homes_[{at.host, at.port}] = node->host;
  return at;
}

std::vector<std::pair<wire_link_ptr, std::size_t>> simulated_wire::links_of(host_id host) const {
  std::vector<std::pair<wire_link_ptr, std::size_t>> found;
  for (const auto& node : nodes_)
    if (node->host == host)
      for (const auto& [uuid, at] : node->peers)
        found.emplace_back(at.link, at.side);
  return found;
}

// --- delay and faults ---------------------------------------------------------------------------

timeline::duration simulated_wire::delay(const way& on) {
  auto takes = options_.latency + time_.up_to(options_.jitter);
  if (const auto slow = slow_.find(on); slow != slow_.end() && time_.now < slow->second.until)
    takes += slow->second.by;
  return takes;
}

void simulated_wire::on_host(host_id host, task what) {
  if (hung_.contains(host))
    waiting_for_host_[host].push_back(std::move(what));
  else
    what();
}

void simulated_wire::over(const way& on, task what, task if_dark) {
  time_.after(delay(on), [this, on, what = std::move(what), if_dark = std::move(if_dark)] {
    if (dark_.contains(on.second)) return if_dark ? if_dark() : void();
    if (blocked_.contains(on))
      waiting_for_way_[on].push_back([this, on, what, if_dark] { over(on, what, if_dark); });
    else
      on_host(on.second, what);
  });
}

void simulated_wire::break_links(host_id a, host_id b) {
  for (const auto& [link, side] : links_of(a)) {
    const auto other = 1 - side;
    if (link->ends[other].node->host != b) continue;
    link->severed = true;
    close(link, side, broken(), false);
    time_.after(time_.up_to(ends_apart_max),
                [this, held = link, other] { close(held, other, broken(), false); });
  }
}

void simulated_wire::block(host_id from, host_id to) {
  blocked_.insert({from, to});
}

void simulated_wire::unblock(host_id from, host_id to) {
  blocked_.erase({from, to});
  if (auto waiting = waiting_for_way_.extract({from, to}); !waiting.empty())
    for (const auto& go_on : waiting.mapped())
      go_on();
}

void simulated_wire::slow_down(host_id a, host_id b, timeline::duration by, env::time_point until) {
  slow_[{a, b}] = slow_[{b, a}] = {by, until};
}

void simulated_wire::hang(host_id host) {
  hung_.insert(host);
}

void simulated_wire::resume(host_id host) {
  hung_.erase(host);
  if (auto waiting = waiting_for_host_.extract(host); !waiting.empty())
    for (auto& go_on : waiting.mapped())
      time_.after({}, [this, host, go_on = std::move(go_on)] { on_host(host, go_on); });
}

// --- dialling -----------------------------------------------------------------------------------

struct simulated_wire::attempt {
  wire_node_ptr dialer;
  config::endpoint to;
  bool done = false;
  wire_link_ptr link{}; // once admitted
};

void simulated_wire::connect(const wire_node_ptr& node, const config::endpoint& to) {
  const auto a = std::make_shared<attempt>(attempt{node, to});
  const auto limit = node->options.connect_timeout;
  time_.after(limit, [this, a, limit] {
    on_host(a->dialer->host, [this, a, limit] {
      give_up(a, {errc::timed_out, "cannot reach " + config::to_string(a->to) + " within " +
                                       std::to_string(limit.count()) + " ms"});
    });
  });
  const auto home = homes_.find({to.host, to.port});
  const auto there = home == homes_.end() ? node->host : home->second;
  over({node->host, there}, [this, a] { arrive(a); });
}

void simulated_wire::arrive(const attempt_ptr& a) {
  if (a->done || !a->dialer->on_wire) return;
  const auto listener = admit(a);
  if (listener) return join(a, *listener);
  const auto home = homes_.find({a->to.host, a->to.port});
  const auto there = home == homes_.end() ? a->dialer->host : home->second;
  over({there, a->dialer->host}, [this, a, why = listener.failure()] { give_up(a, why); });
}

result<wire_node_ptr> simulated_wire::admit(const attempt_ptr& a) {
  const auto found = listeners_.find({a->to.host, a->to.port});
  if (found == listeners_.end())
    return {errc::unreachable, "cannot reach " + config::to_string(a->to) + ": Connection refused"};
  const auto listener = found->second;
  const auto refused = [&](const error& why) -> error {
    return {why.code, config::to_string(a->to) + " refused the connection: " + why.text};
  };
  if (auto agreed = env::agree(listener->own, a->dialer->own); !agreed)
    return refused(agreed.failure());
  const auto replace = [&](wire_node& here, const mesh::node_identity& newcomer) {
    const auto held = here.peers.find(newcomer.uuid);
    if (held == here.peers.end()) return error{};
    const auto at = held->second;
    const auto& known = at.link->ends[at.side].who.identity;
    if (newcomer.incarnation <= known.incarnation) return env::already_connected(known, newcomer);
    close(at.link, at.side, env::replaced_by(newcomer), true);
    return error{};
  };
  if (auto why = replace(*listener, a->dialer->own.identity)) return refused(why);
  if (auto why = replace(*a->dialer, listener->own.identity)) return why;
  return listener;
}

void simulated_wire::join(const attempt_ptr& a, const wire_node_ptr& listener) {
  const auto link = std::make_shared<wire_link>();
  const auto set = [&](std::size_t side, const wire_node_ptr& here, const wire_node& there) {
    link->ends[side].node = here;
    link->ends[side].who = {there.own.identity, there.own.node_name, there.own.roles, a->to};
    here->peers[there.own.identity.uuid] = {link, side};
  };
  set(0, a->dialer, *listener);
  set(1, listener, *a->dialer);
  a->link = link;
  time_.after(
      {}, [this, link] { on_host(link->ends[1].node->host, [this, link] { come_up(link, 1); }); });
  over({listener->host, a->dialer->host}, [this, a] {
    if (a->done) return;
    // The link may have broken while the listener's word was under way.
    if (a->link->ends[0].state != wire_link::side_state::pending) return give_up(a, broken());
    a->done = true;
    come_up(a->link, 0);
  });
}

void simulated_wire::give_up(const attempt_ptr& a, const error& why) {
  if (a->done) return;
  a->done = true;
  if (a->link) close(a->link, 0, why, true);
  if (a->dialer->on_wire) a->dialer->events.on_connect_failed(a->to, why);
}

// --- links --------------------------------------------------------------------------------------

void simulated_wire::come_up(const wire_link_ptr& link, std::size_t side) {
  auto& end = link->ends[side];
  if (end.state != wire_link::side_state::pending) {
    // The listener has gone in the meantime; its word of it came first.
    return;
  }
  end.state = wire_link::side_state::up;
  end.node->events.on_peer_up(end.who);
  for (auto& [key, channel] : link->channels)
    if (channel.sender != side) schedule(link, channel);
}

void simulated_wire::close(const wire_link_ptr& link, std::size_t side, const error& why,
                           bool tell) {
  auto& end = link->ends[side];
  const auto was = std::exchange(end.state, wire_link::side_state::down);
  if (was == wire_link::side_state::down) return;
  const auto other = 1 - side;
  const auto& uuid = end.who.identity.uuid;
  if (const auto at = end.node->peers.find(uuid);
      at != end.node->peers.end() && at->second.link == link)
    end.node->peers.erase(at);
  if (was == wire_link::side_state::up && end.node->on_wire)
    time_.after({}, [this, link, side, why] {
      const auto& gone = link->ends[side];
      on_host(gone.node->host, [link, side, why] {
        const auto& told = link->ends[side];
        if (told.node->on_wire) told.node->events.on_peer_down(told.who, why);
      });
    });
  if (tell)
    over({end.node->host, link->ends[other].node->host},
         [this, link, other] { close(link, other, closed_by_peer(), false); });
}

void simulated_wire::disconnect(const wire_node_ptr& node, const mesh::node_uuid& peer,
                                const error& why) {
  if (const auto at = node->peers.find(peer); at != node->peers.end()) {
    const auto held = at->second;
    close(held.link, held.side, why, true);
  }
}

void simulated_wire::reset(const wire_link_ptr& link, std::size_t side) {
  if (std::exchange(link->reset_on_way, true)) return;
  const way there{link->ends[side].node->host, link->ends[1 - side].node->host};
  const auto answer = [this, link, side, there] {
    over({there.second, there.first}, [this, link, side] { close(link, side, broken(), false); });
  };
  // What meets no host at all does not come to anything, and the next frame tries again.
  over(there, answer, [link] { link->reset_on_way = false; });
}

} // namespace gradmesh::simulation
