#pragma once

/// A network in virtual time, with faults: hosts, the links between their nodes, and frames that
/// take their time.
///
/// A link is what TCP gives: frames of one lane and priority arrive in the order in which they were
/// sent, each once, or the link ends and what is under way is lost. Frames of different lanes,
/// priorities or links overtake each other as the latency has it, which is drawn for each frame.
/// The two sides of a link learn of its end at different times.
///
/// Faults, all of them by the owner's word: a link breaks; a host is cut off from another, in one
/// direction or both, and what was sent waits; a link is slow for a while; a host hangs, and what
/// comes for it waits; a node dies, and its peers are told, or not before they send something to a
/// host that has come back; a request that its sender may repeat comes twice.
///
/// One thread. Nodes are called back only from within tasks of the timeline.

#include "actors/env/network/network.hpp"
#include "tools/simulation/timeline.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace gradmesh::simulation {

/// A machine, by number.
using host_id = std::size_t;

struct wire_options {
  timeline::duration latency{std::chrono::microseconds(50)};
  timeline::duration jitter{std::chrono::microseconds(50)}; // at most so much is added
  /// One in so many requests that may be repeated is; 0: none.
  std::uint64_t repeat_one_in = 0;
  /// What makes copies of a shard, its backup's or a checkpoint's, is among these requests.
  bool repeats_copies = false;
};

/// A frame as it is handed to its receiver.
struct delivery {
  env::time_point when;
  host_id from = 0;
  host_id to = 0;
  mesh::node_uuid receiver;
  mesh::frame_ptr frame;
};

struct wire_node; // a node on a host; internal
struct wire_link; // internal
struct wire_channel;
using wire_node_ptr = std::shared_ptr<wire_node>;
using wire_link_ptr = std::shared_ptr<wire_link>;

class simulated_wire {
public:
  simulated_wire(timeline& time, wire_options options) : time_(time), options_(options) {}

  /// The wire outlives the network.
  std::shared_ptr<env::network> make_network(host_id host, env::network_options options);

  /// Called with each frame before its receiver is.
  std::function<void(const delivery&)> on_delivery;

  /// All links between two hosts end.
  void break_links(host_id a, host_id b);
  /// Nothing comes through from one host to another.
  void block(host_id from, host_id to);
  void unblock(host_id from, host_id to);
  /// Frames sent until then, in both directions, take so much longer.
  void slow_down(host_id a, host_id b, timeline::duration by, env::time_point until);
  /// The nodes of a host are not called until it resumes.
  void hang(host_id host);
  void resume(host_id host);
  /// The nodes of a host are gone. Silently: as if the machine had lost its power.
  void kill(host_id host, bool silently);

private:
  friend class simulated_network;
  struct attempt;
  using attempt_ptr = std::shared_ptr<attempt>;
  using way = std::pair<host_id, host_id>; // from, to
  using task = std::function<void()>;

  void enter(const wire_node_ptr& node, env::network_events events);
  void leave(const wire_node_ptr& node);
  result<config::endpoint> listen(const wire_node_ptr& node, const config::endpoint& at);
  void connect(const wire_node_ptr& node, const config::endpoint& to);
  result<void> send(const wire_node_ptr& node, const mesh::node_uuid& to, mesh::frame_ptr f);
  void disconnect(const wire_node_ptr& node, const mesh::node_uuid& peer, const error& why);

  timeline::duration delay(const way& on);
  /// Has a task done as soon as the host runs.
  void on_host(host_id host, task what);
  /// Has a task done after the delay of a way, as soon as it is open and the receiver runs; if that
  /// is without power then, the other one.
  void over(const way& on, task what, task if_dark = {});
  void off_the_wire(const wire_node_ptr& node);
  /// Those that have a side on the host, with the side.
  std::vector<std::pair<wire_link_ptr, std::size_t>> links_of(host_id host) const;

  void arrive(const attempt_ptr& a);
  result<wire_node_ptr> admit(const attempt_ptr& a);
  void join(const attempt_ptr& a, const wire_node_ptr& listener);
  void give_up(const attempt_ptr& a, const error& why);
  void come_up(const wire_link_ptr& link, std::size_t side);
  /// Ends one side of a link; the other one is told, or not.
  void close(const wire_link_ptr& link, std::size_t side, const error& why, bool tell);
  /// A frame meets a side that is no more.
  void reset(const wire_link_ptr& link, std::size_t side);

  void put(const wire_link_ptr& link, std::size_t sender, mesh::frame_ptr f);
  void schedule(const wire_link_ptr& link, wire_channel& channel);
  void deliver(const wire_link_ptr& link, wire_channel& channel);
  void hand_over(const wire_link_ptr& link, std::size_t receiver, const mesh::frame_ptr& f);

  timeline& time_;
  const wire_options options_;
  std::vector<wire_node_ptr> nodes_;
  std::map<std::pair<std::string, std::uint16_t>, wire_node_ptr> listeners_;
  std::map<std::pair<std::string, std::uint16_t>, host_id> homes_; // of all that ever listened
  std::set<way> blocked_;
  std::set<host_id> hung_;
  std::set<host_id> dark_; // without power, until a node starts there
  struct slowness {
    timeline::duration by{};
    env::time_point until;
  };
  std::map<way, slowness> slow_;
  std::map<host_id, std::vector<task>> waiting_for_host_;
  std::map<way, std::vector<task>> waiting_for_way_;
};

} // namespace gradmesh::simulation
