#pragma once

/// A mesh in virtual time whose nodes and network fail: the real coordinator, shards, workers and
/// data servers, each node with an environment of its own (actor system, disk, entropy), on one
/// thread. What happens next is drawn by chance from all that can: which actor of which node
/// handles its next message, how long each frame takes, whether an actor is kept waiting. The same
/// seed and calls give the same run.
///
/// A node that ends itself, as a process would, is started again by its machine after a while.

#include "actors/env/environment.hpp"
#include "actors/node/node.hpp"
#include "tools/simulation/actor_host.hpp"
#include "tools/simulation/simulated_wire.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::simulation {

struct faulty_mesh_options {
  std::uint64_t seed = 1;
  rule_set rules{};
  wire_options wire{};
  /// The disk of a machine; it outlives the nodes that run there.
  std::function<std::shared_ptr<env::disk>(host_id)> disk_of;
  /// The machine lost what its disk had not synced.
  std::function<void(host_id)> power_lost = [](host_id) {};
  /// Whether the machine's disk has failed a call, so that a node may end itself.
  std::function<bool(host_id)> disk_failed = [](host_id) { return false; };
  /// What becomes of nodes, and their log lines; may be empty.
  std::function<void(host_id, const std::string&)> note = {};
};

class faulty_mesh {
public:
  /// `hosts` outlives the mesh.
  faulty_mesh(faulty_mesh_options options, actor_hosts& hosts);
  ~faulty_mesh();
  faulty_mesh(const faulty_mesh&) = delete;
  faulty_mesh& operator=(const faulty_mesh&) = delete;

  /// A machine that runs a node with this node file. Errors: those of the file, and of node::start.
  result<host_id> add_machine(const std::string& node_file);
  /// A machine that runs no node.
  host_id add_client() { return machines_.size(); }
  std::size_t machines() const { return machines_.size(); }
  const std::string& name(host_id host) const { return machines_[host].name; }
  bool runs(host_id host) const { return machines_[host].node != nullptr; }

  /// The node is gone, without a word to anybody. With `silently` the machine is, too: nobody
  /// notices by the network, what was not synced is lost, and its clock begins anew.
  void crash(host_id host, bool silently);
  /// Starts the node of a machine that runs none.
  void restart(host_id host);
  void hang(host_id host);
  void resume(host_id host);

  timeline& time() { return time_; }
  simulated_wire& wire() { return wire_; }

  /// Lets things happen until something holds; false if so much virtual time has passed before.
  bool run_until(const std::function<bool()>& holds, timeline::duration limit);

  /// Ends all nodes.
  void stop();

  /// Errors that ended a node which should have gone on.
  const std::vector<std::string>& faults() const { return faults_; }

private:
  struct machine {
    std::string name;
    config::node_config config;
    std::shared_ptr<env::disk> disk;
    std::unique_ptr<actor_host> actors; // null while no node runs
    std::unique_ptr<node::node> node;
    timeline::duration booted{0}; // its clock shows the time since then
    std::uint64_t lives = 0;
    bool hangs = false;
  };

  env::environment environment_of(host_id host);
  result<void> start(host_id host);
  void ended(host_id host, std::uint64_t life, const error& why);
  /// Ends the actors of a node that has nothing to say any more.
  void bury(machine& m);
  void note(host_id host, const std::string& what) const;
  /// A machine with actors that can run now; nothing if there is none.
  machine* draw_runnable();
  /// When the next timer or task is due. False if there is nothing.
  bool next_event(env::time_point& when) const;
  void advance_to(env::time_point when);
  void set_clock(machine& m) const { m.actors->set_now(time_.now - m.booted); }

  const faulty_mesh_options options_;
  actor_hosts& hosts_;
  timeline time_;
  simulated_wire wire_;
  std::vector<machine> machines_;
  std::vector<std::string> faults_;
};

} // namespace gradmesh::simulation
