#pragma once

/// A node's switchboard. Outgoing messages get their identity, epoch and number here and go to the
/// network, or, when they are for an actor of the same node, straight to it; incoming frames go to
/// the service that their header names.
///
/// A frame for a service that the node does not have, or of a kind that the service does not take,
/// is answered with a Refusal and counted. Thread-safe; nothing here blocks.

#include "actors/env/network/network.hpp"
#include "actors/mesh/message.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace gradmesh::mesh {

/// Hands a frame to an actor. Errors: the actor does not take this kind, or it does not decode.
using deliverer = std::function<result<void>(const frame_ptr&)>;

/// What the owner of a router is told about links; called on the network's thread.
struct link_events {
  std::function<void(const env::peer&)> up;
  std::function<void(const env::peer&, const error& why)> down;
  std::function<void(const config::endpoint&, const error& why)> connect_failed;
};

/// A message on its way: the number by which an answer refers to it, and its size as a frame.
struct sent_message {
  std::uint64_t message_id = 0;
  std::size_t wire_bytes = 0;
};

class router {
public:
  /// `network` must outlive the router's last use and is started by `start`.
  router(node_identity self, std::shared_ptr<env::network> network);

  /// Begins to receive. The router must be kept by a shared pointer until the network has stopped.
  /// Errors: those of `env::network::start`.
  result<void> start(link_events events);

  const node_identity& self() const { return self_; }
  env::network& network() { return *network_; }
  address local(service_id service) const { return {self_.uuid, service}; }

  /// Offers a service. Replaces what was bound under the number before.
  void bind(service_id service, deliverer to);
  void unbind(service_id service);

  /// Sends a message on its own lane.
  /// Errors: those of `env::network::send`.
  template <class T>
  result<sent_message> send(address to, service_id from, const draft<T>& message) {
    return dispatch(to.node, message.build(to, from, 0, message_traits<T>::on));
  }

  /// Answers a request, on the lane that it came on.
  template <class Request, class T>
  result<sent_message> reply(const message<Request>& request, const draft<T>& answer) {
    return reply_to(request.header(), answer);
  }
  template <class T>
  result<sent_message> reply_to(const frame_header& request, const draft<T>& answer) {
    return dispatch(request.from.uuid,
                    answer.build({request.from.uuid, request.from_service}, request.to_service,
                                 request.message_id, request.lane));
  }

  void set_view_epoch(std::uint64_t epoch) { view_epoch_ = epoch; }
  std::uint64_t view_epoch() const { return view_epoch_; }

  /// Frames that named no service here or a kind that the service does not take.
  std::uint64_t refused_frames() const { return refused_; }

private:
  result<sent_message> dispatch(const node_uuid& to, frame f);
  void deliver(const frame_ptr& f);
  void refuse(const frame& f, const error& why);

  const node_identity self_;
  const std::shared_ptr<env::network> network_;
  std::atomic<std::uint64_t> next_message_id_{1};
  std::atomic<std::uint64_t> view_epoch_{0};
  std::atomic<std::uint64_t> refused_{0};
  mutable std::shared_mutex mutex_; // guards services_
  std::map<service_id, std::shared_ptr<const deliverer>> services_;
};

} // namespace gradmesh::mesh
