#include "tools/bench/link_end.hpp"

#include "actors/env/disk.hpp"
#include "actors/env/network/socket_network.hpp"
#include "actors/env/network/tls/tls_context.hpp"
#include "actors/mesh/message.hpp"

namespace gradmesh::tools::bench {
namespace {

constexpr const char* cluster = "gradmesh"; // as make_certificates has it
/// Frames of the largest body that window and queue have room for.
constexpr std::uint64_t frames_min = 4;

constexpr mesh::service_id worker_service{mesh::service_kind::worker, 0};
constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};

} // namespace

std::optional<link_lane> parse_lane(const std::string& text) {
  for (const auto lane : {link_lane::tcp, link_lane::tls, link_lane::shm})
    if (text == to_string(lane)) return lane;
  return std::nullopt;
}

const char* to_string(link_lane lane) {
  switch (lane) {
  case link_lane::tcp:
    return "tcp";
  case link_lane::tls:
    return "tls";
  case link_lane::shm:
    return "shm";
  }
  return "";
}

mesh::node_identity identity_of(link_side side) {
  return {{static_cast<std::uint8_t>(side == link_side::sender ? 1 : 2)}, 1};
}

result<std::unique_ptr<env::network>> make_network(const link_setup& setup, link_side side,
                                                   std::function<void(std::string)> log) {
  env::network_options options;
  options.self = identity_of(side);
  options.node_name = side == link_side::sender ? "sender" : "receiver";
  options.cluster = cluster;
  options.roles = {side == link_side::sender ? mesh::role::worker : mesh::role::server};
  options.shared_memory = setup.lane == link_lane::shm;
  for (auto* limit : {&options.queue_bytes_max, &options.window_bytes})
    *limit = std::max<std::size_t>(*limit, frames_min * (setup.bytes_max + 1024));
  options.log = std::move(log);
  if (setup.tls) {
    const auto files = env::make_disk();
    auto context = env::tls_context::make({.ca = setup.tls->ca,
                                           .certificate = setup.tls->certificate,
                                           .key = setup.tls->key,
                                           .cluster = cluster},
                                          *files);
    if (!context) return context.failure();
    options.tls = *std::move(context);
  }
  return env::make_socket_network(std::move(options));
}

mesh::frame push_frame() {
  mesh::draft<schema::Push> push;
  push->setJobId(1);
  auto part = push->initParts(1)[0];
  part.getPart().setBlock(0);
  part.setSequence(1);
  part.setCount(1);
  return push.build({identity_of(link_side::receiver).uuid, shard_service}, worker_service, 0,
                    mesh::lane::bulk);
}

mesh::frame pushed_frame() {
  mesh::draft<schema::Pushed> pushed;
  pushed->setJobId(1);
  pushed->initParts(1);
  pushed->initStaleness(1);
  return pushed.build({identity_of(link_side::sender).uuid, worker_service}, shard_service, 0,
                      mesh::lane::bulk);
}

} // namespace gradmesh::tools::bench
