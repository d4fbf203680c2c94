#pragma once

/// Requests that wait for their answers. They are sent again while there is none, since a link may
/// break and come back; so they have to be idempotent. Plain code, one owner.

#include "actors/env/clock.hpp"
#include "actors/mesh/router.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace gradmesh::coordinator {

class open_requests {
public:
  open_requests(mesh::router& router, mesh::service_id self) : router_(router), self_(self) {}

  template <class T>
  void ask(const mesh::address& whom, std::shared_ptr<const mesh::draft<T>> what,
           env::time_point now) {
    add(
        whom, [this, whom, what] { return router_.send(whom, self_, *what); }, now);
  }

  /// Takes note of an answer. False if it is to nothing that is open: late, or repeated.
  bool take(const mesh::frame_header& answer);
  /// Whether a message is one of those without an answer.
  bool asked(std::uint64_t message_id) const {
    const auto sent = sent_.find(message_id);
    return sent != sent_.end() && open_.contains(sent->second);
  }

  bool empty() const { return open_.empty(); }
  /// Who has not answered; one that was asked twice is in it once.
  std::set<mesh::address> waiting_for() const;

  void clear();
  /// Sends again what was sent longer ago than `interval`.
  void repeat(env::time_point now, std::chrono::milliseconds interval);
  /// Sends again what a node was asked.
  void repeat_to(const mesh::node_uuid& node, env::time_point now);

private:
  struct request {
    mesh::address whom;
    std::function<result<mesh::sent_message>()> send;
    env::time_point sent_at;
  };
  void add(const mesh::address& whom, std::function<result<mesh::sent_message>()> send,
           env::time_point now);
  void send(std::uint64_t number, request& r, env::time_point now);

  mesh::router& router_;
  mesh::service_id self_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, request> open_;       // by our number
  std::map<std::uint64_t, std::uint64_t> sent_; // message id -> our number
};

} // namespace gradmesh::coordinator
