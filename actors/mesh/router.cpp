#include "actors/mesh/router.hpp"

namespace gradmesh::mesh {

router::router(node_identity self, std::shared_ptr<env::network> network)
    : self_(self), network_(std::move(network)) {}

result<void> router::start(link_events events) {
  return network_->start({
      .on_frame = [this](const frame_ptr& f) { deliver(f); },
      .on_peer_up = std::move(events.up),
      .on_peer_down = std::move(events.down),
      .on_refused = [this](const frame_ptr& f, const error& why) { refuse(*f, why); },
      .on_connect_failed = std::move(events.connect_failed),
  });
}

void router::bind(service_id service, deliverer to) {
  const std::unique_lock lock(mutex_);
  services_[service] = std::make_shared<const deliverer>(std::move(to));
}

void router::unbind(service_id service) {
  const std::unique_lock lock(mutex_);
  services_.erase(service);
}

result<sent_message> router::dispatch(const node_uuid& to, frame f) {
  f.header.from = self_;
  f.header.view_epoch = view_epoch_;
  f.header.message_id = next_message_id_++;
  const sent_message sent{f.header.message_id, f.wire_bytes()};
  auto shared = std::make_shared<const frame>(std::move(f));
  if (to == self_.uuid) {
    deliver(shared);
    return sent;
  }
  if (auto queued = network_->send(to, std::move(shared)); !queued) return queued.failure();
  return sent;
}

void router::deliver(const frame_ptr& f) {
  std::shared_ptr<const deliverer> target;
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = services_.find(f->header.to_service); found != services_.end())
      target = found->second;
  }
  const auto delivered =
      target ? (*target)(f)
             : result<void>(errc::refused, "this node has no " + to_string(f->header.to_service));
  if (!delivered) refuse(*f, delivered.failure());
}

void router::refuse(const frame& f, const error& why) {
  ++refused_;
  // A refusal is never answered by a refusal, or two nodes could keep each other busy for ever.
  if (f.header.kind != message_traits<schema::Refusal>::kind)
    (void)reply_to(f.header, make_refusal(why));
}

} // namespace gradmesh::mesh
