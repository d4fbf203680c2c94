#include "tests/unit/network/test_node.hpp"

#include <algorithm>

namespace gradmesh::env::test {
namespace {

std::byte content(std::uint64_t message_id, std::size_t position) {
  return static_cast<std::byte>(message_id * 31 + position * 7 + position / 251);
}

} // namespace

mesh::node_identity identity(std::uint8_t number, std::uint64_t incarnation) {
  mesh::node_uuid uuid{};
  uuid.fill(number);
  return {uuid, incarnation};
}

network_options options(std::uint8_t number, std::uint64_t incarnation) {
  network_options o;
  o.self = identity(number, incarnation);
  o.roles = {mesh::role::coordinator, mesh::role::server, mesh::role::worker};
  o.node_name = "node-" + std::to_string(number);
  return o;
}

mesh::frame_ptr make_frame(const mesh::node_identity& from, mesh::lane lane,
                           std::uint64_t message_id, std::size_t metadata_words,
                           std::size_t body_bytes) {
  auto f = std::make_shared<mesh::frame>();
  f->metadata.assign(metadata_words, message_id);
  const auto body = mesh::allocate_body(body_bytes);
  for (std::size_t i = 0; i < body_bytes; ++i)
    body.bytes[i] = content(message_id, i);
  f->body = body.share();
  f->header.kind = some_kind;
  f->header.lane = lane;
  f->header.metadata_bytes = static_cast<std::uint32_t>(8 * metadata_words);
  f->header.body_bytes = body_bytes;
  f->header.from = from;
  f->header.message_id = message_id;
  return f;
}

bool is_intact(const mesh::frame& f, std::size_t metadata_words, std::size_t body_bytes) {
  if (f.metadata != std::vector<std::uint64_t>(metadata_words, f.header.message_id)) return false;
  if (f.body.bytes.size() != body_bytes) return false;
  for (std::size_t i = 0; i < body_bytes; ++i)
    if (f.body.bytes[i] != content(f.header.message_id, i)) return false;
  return true;
}

test_node::test_node(const network_factory& make, network_options o) : self_(o.self) {
  o.log = [this](std::string line) {
    change([&](record& r) { r.log.push_back(std::move(line)); });
  };
  network_ = make(std::move(o));
  network_events events;
  events.on_frame = [this](mesh::frame_ptr f) {
    if (on_frame) return on_frame(std::move(f));
    f->settle(); // as an actor does that has dealt with it
    change([&](record& r) { r.frames.push_back(std::move(f)); });
  };
  events.on_peer_up = [this](const peer& who) { change([&](record& r) { r.ups.push_back(who); }); };
  events.on_peer_down = [this](const peer& who, const error& why) {
    change([&](record& r) { r.downs.push_back({who, why}); });
  };
  events.on_refused = [this](const mesh::frame_ptr& f, const error&) {
    change([&](record& r) { r.refused.push_back(f); });
  };
  events.on_connect_failed = [this](const config::endpoint& to, const error& why) {
    change([&](record& r) { r.failures.push_back({to, why}); });
  };
  REQUIRE(network_->start(std::move(events)));
}

test_node::~test_node() {
  network_->stop(std::chrono::milliseconds(0));
}

config::endpoint test_node::listen() {
  const auto bound = network_->listen(any_port);
  REQUIRE(bound);
  return *bound;
}

bool test_node::wait_for(const std::function<bool(const record&)>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return condition(record_); });
}

bool test_node::wait_for_up(std::size_t count) {
  return wait_for([&](const record& r) { return r.ups.size() >= count; });
}

bool test_node::wait_for_down(std::size_t count) {
  return wait_for([&](const record& r) { return r.downs.size() >= count; });
}

bool test_node::wait_for_frames(std::size_t count) {
  return wait_for([&](const record& r) { return r.frames.size() >= count; });
}

bool test_node::wait_for_failure(std::size_t count) {
  return wait_for([&](const record& r) { return r.failures.size() >= count; });
}

record test_node::snapshot() {
  const std::lock_guard lock(mutex_);
  return record_;
}

void test_node::send(const test_node& to, mesh::lane lane, std::uint64_t message_id,
                     std::size_t metadata_words, std::size_t body_bytes) {
  REQUIRE(network_->send(to.self().uuid,
                         make_frame(self_, lane, message_id, metadata_words, body_bytes)));
}

template <class Change>
void test_node::change(Change c) {
  const std::lock_guard lock(mutex_);
  c(record_);
  changed_.notify_all();
}

void join(test_node& dialer, test_node& listener) {
  const auto at = listener.listen();
  const auto before = listener.snapshot().ups.size();
  dialer->connect(at);
  REQUIRE(dialer.wait_for_up());
  REQUIRE(listener.wait_for_up(before + 1));
}

} // namespace gradmesh::env::test
