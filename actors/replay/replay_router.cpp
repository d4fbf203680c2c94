#include "actors/replay/replay_router.hpp"

#include "actors/env/network/memory_network.hpp"

namespace gradmesh::replay {

replay_router::replay_router() {
  env::network_options links;
  links.self = {{1}, 1};
  links.node_name = "replay";
  const auto hub = std::make_shared<env::memory_hub>();
  router_ = std::make_shared<mesh::router>(
      links.self, std::shared_ptr<env::network>(env::make_memory_network(hub, links)));
}

mesh::service_id replay_router::worker_service(std::uint32_t rank) {
  return {mesh::service_kind::worker, static_cast<std::uint16_t>(rank)};
}

std::vector<job::place> replay_router::bind_workers(std::size_t count) {
  std::vector<job::place> places;
  for (std::uint32_t rank = 0; rank < count; ++rank) {
    const auto service = worker_service(rank);
    router_->bind(service, [this](const mesh::frame_ptr& f) {
      answers_.push_back(f);
      return result<void>();
    });
    places.push_back({router_->local(service), "worker " + std::to_string(rank)});
  }
  return places;
}

} // namespace gradmesh::replay
