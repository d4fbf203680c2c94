#pragma once

/// A network that can be broken: nodes of one machine dial each other through it, over TCP on
/// loopback, each node at a port that stands before its own. One thread of its own carries the
/// bytes.
///
/// Conditions belong to a node, like those of its network card: whatever goes to it or comes from
/// it is subject to them, also on connections that it has dialled (`dialer_of` tells whose those
/// are) and that exist already. Failure: where a target refuses, the connection through the proxy
/// ends. Limits: 1 MiB on its way in each direction of a connection, 64 MiB with a delay. Threads:
/// any.

#include "actors/env/descriptor.hpp"
#include "actors/error.hpp"
#include "config/endpoint.hpp"
#include "tools/chaos/relay.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

struct pollfd;

namespace gradmesh::tools::chaos {

struct conditions {
  bool to_held = false;   // nothing arrives at the node
  bool from_held = false; // nothing leaves it
  std::chrono::milliseconds delay{0};
  std::uint64_t bytes_per_second = 0; // each way, all its connections together; 0: no limit

  bool operator==(const conditions&) const = default;
};

/// The name of the node that owns the socket with local port `from`, connected to port `to`; empty
/// if nobody's. Called on the proxy's thread.
using dialer_lookup = std::function<std::string(std::uint16_t from, std::uint16_t to)>;

/// Who hears the bytes of a new connection to a node. Called on the proxy's thread, and so is he.
using listener_maker = std::function<connection_listener(const std::string& target)>;

class fault_proxy {
public:
  /// Errors: `io_failed`.
  static result<std::unique_ptr<fault_proxy>> start(dialer_lookup dialer_of,
                                                    listener_maker listener_of = {});
  ~fault_proxy(); // closes all

  /// The port before a node; the same one whenever it is asked for. Errors: `io_failed`.
  result<config::endpoint> door(const std::string& node);
  /// Where the node itself listens. Connections before that are refused.
  void aim(const std::string& node, const config::endpoint& target);

  void set(const std::string& node, const conditions& now);
  /// Breaks all connections of the node, at both ends.
  void cut(const std::string& node);
  std::size_t connections(const std::string& node) const;

private:
  struct entrance {
    env::descriptor listener;
    config::endpoint at;
    config::endpoint target;
  };
  /// Bytes that may still be sent; filled by time.
  struct bucket {
    double bytes = 0;
    clock::time_point filled;
  };
  struct node_state {
    conditions now;
    bucket to, from;
  };
  struct connection {
    std::string dialer, target;
    relay line;
  };

  fault_proxy(dialer_lookup dialer_of, listener_maker listener_of);
  void wake() const;
  void run();
  void accept_all(const std::string& node, entrance& at);
  std::array<flow, 2> flows_of(const connection& c, clock::time_point now);
  std::size_t allowance(const connection& c, direction d);
  void charge(const connection& c, direction d, std::size_t bytes);
  bucket& of(const std::string& node, bool to);
  void serve(connection& c, const pollfd* events, clock::time_point now);

  dialer_lookup dialer_of_;
  listener_maker listener_of_;
  env::descriptor wake_;
  std::atomic<bool> ending_ = false;

  mutable std::mutex mutex_; // guards what follows
  std::map<std::string, entrance> entrances_;
  std::map<std::string, node_state> nodes_;
  std::list<connection> connections_;

  std::thread thread_; // last: it uses all of the above
};

} // namespace gradmesh::tools::chaos
