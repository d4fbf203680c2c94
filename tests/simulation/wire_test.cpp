/// The simulated wire: what TCP gives, in virtual time, and what goes wrong with it.

#include "tools/simulation/simulated_wire.hpp"

#include "actors/mesh/message.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace gradmesh;
using namespace std::chrono_literals;
using mesh::lane;
using simulation::host_id;

namespace {

constexpr std::uint64_t seed = 20261122;
/// Any node may send it.
constexpr auto some_kind = mesh::message_traits<schema::Refusal>::kind;

/// A node alone on a host, and what it was told.
struct wired_node {
  wired_node(simulation::simulated_wire& wire, simulation::timeline& time, host_id host,
             std::uint64_t incarnation = 1)
      : at{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(7000 + host)} {
    self.uuid[0] = static_cast<std::uint8_t>(host + 1);
    self.incarnation = incarnation;
    env::network_options options;
    options.self = self;
    options.node_name = "node-" + std::to_string(host);
    options.roles = {mesh::role::worker};
    network = wire.make_network(host, std::move(options));
    REQUIRE(network->start(
        {.on_frame =
             [&, this](const mesh::frame_ptr& f) {
               frames.push_back(f->header);
               frame_times.push_back(time.now);
             },
         .on_peer_up = [this](const env::peer& who) { ups.push_back(who.name); },
         .on_peer_down = [this](const env::peer& who,
                                const error& why) { downs.push_back(who.name + ": " + why.text); },
         .on_refused = [this](const mesh::frame_ptr&, const error&) { ++refused; },
         .on_connect_failed = [this](const config::endpoint&,
                                     const error& why) { failures.push_back(why); }}));
    REQUIRE(network->listen(at));
  }

  result<void> send(const wired_node& to, lane on, std::uint8_t priority,
                    std::uint16_t kind = some_kind) {
    mesh::frame f;
    f.header.kind = kind;
    f.header.lane = on;
    f.header.priority = priority;
    f.header.from = self;
    f.header.message_id = ++sent;
    f.metadata.assign(2, 0);
    f.header.metadata_bytes = 16;
    return network->send(to.self.uuid, std::make_shared<const mesh::frame>(std::move(f)));
  }
  /// The numbers of the frames that came on a lane with a priority.
  std::vector<std::uint64_t> numbers(lane on, std::uint8_t priority) const {
    std::vector<std::uint64_t> found;
    for (const auto& h : frames)
      if (h.lane == on && h.priority == priority) found.push_back(h.message_id);
    return found;
  }

  config::endpoint at;
  mesh::node_identity self;
  std::shared_ptr<env::network> network;
  std::uint64_t sent = 0;
  std::vector<mesh::frame_header> frames;
  std::vector<env::time_point> frame_times;
  std::vector<std::string> ups, downs;
  std::vector<error> failures;
  std::size_t refused = 0;
};

struct wire_fixture {
  explicit wire_fixture(simulation::wire_options options = {.latency = 1ms, .jitter = 2ms})
      : wire(time, options) {}
  void run_for(simulation::timeline::duration d) {
    const auto until = time.now + d;
    while (!time.empty() && time.next() <= until)
      time.step();
    time.now = until;
  }
  void link(wired_node& from, const wired_node& to) {
    from.network->connect(to.at);
    run_for(20ms);
    REQUIRE(from.ups.size() == 1);
    REQUIRE(to.ups.size() == 1);
  }

  simulation::timeline time{seed};
  simulation::simulated_wire wire;
};

} // namespace

TEST_CASE_FIXTURE(wire_fixture, "frames take their time, and keep their order where TCP does") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  const auto began = time.now;
  for (int i = 0; i < 50; ++i)
    for (const auto on : {lane::control, lane::bulk})
      for (const auto priority : {std::uint8_t{0}, std::uint8_t{3}})
        REQUIRE(a.send(b, on, priority));
  CHECK(b.frames.empty());
  run_for(100ms);
  REQUIRE(b.frames.size() == 200);
  CHECK(b.frame_times.front() >= began + 1ms);
  CHECK(b.frame_times.back() <= began + 3ms);
  for (const auto on : {lane::control, lane::bulk})
    for (const auto priority : {std::uint8_t{0}, std::uint8_t{3}}) {
      const auto numbers = b.numbers(on, priority);
      CHECK(numbers.size() == 50);
      CHECK(std::ranges::is_sorted(numbers));
    }
  CHECK_FALSE(std::ranges::is_sorted(b.frames, {}, &mesh::frame_header::message_id));
  CHECK(a.network->stats().queued_bytes == 0);
}

TEST_CASE_FIXTURE(wire_fixture,
                  "a link that breaks loses what is under way, and is dialled again") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  REQUIRE(a.send(b, lane::bulk, 0));
  wire.break_links(0, 1);
  CHECK_FALSE(a.send(b, lane::bulk, 0));
  run_for(100ms);
  CHECK(b.frames.empty());
  CHECK(a.downs.size() == 1);
  CHECK(b.downs.size() == 1);
  b.network->connect(a.at);
  run_for(100ms);
  REQUIRE(a.send(b, lane::bulk, 0));
  run_for(100ms);
  CHECK(b.frames.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture, "a partition in one direction holds what is sent until it heals") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  wire.block(0, 1);
  for (int i = 0; i < 5; ++i)
    REQUIRE(a.send(b, lane::bulk, 0));
  REQUIRE(b.send(a, lane::bulk, 0));
  run_for(1s);
  CHECK(b.frames.empty());
  CHECK(a.frames.size() == 1);
  wire.unblock(0, 1);
  REQUIRE(a.send(b, lane::bulk, 0));
  run_for(1s);
  CHECK(b.numbers(lane::bulk, 0) == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
  CHECK(b.downs.empty());
}

TEST_CASE_FIXTURE(wire_fixture, "dialling fails where nobody listens, and hangs at a partition") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  a.network->connect({.host = "127.0.0.1", .port = 1});
  run_for(100ms);
  REQUIRE(a.failures.size() == 1);
  CHECK(a.failures[0].code == errc::unreachable);
  wire.block(0, 1);
  a.network->connect(b.at);
  run_for(4s);
  CHECK(a.failures.size() == 1);
  run_for(2s);
  REQUIRE(a.failures.size() == 2);
  CHECK(a.failures[1].code == errc::timed_out);
  wire.unblock(0, 1);
  run_for(1s);
  CHECK(a.ups.empty()); // too late
  CHECK(b.ups.size() == b.downs.size());
}

TEST_CASE_FIXTURE(wire_fixture, "two nodes that dial each other get one link") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  a.network->connect(b.at);
  b.network->connect(a.at);
  run_for(1s);
  CHECK(a.ups.size() == 1);
  CHECK(b.ups.size() == 1);
  CHECK(a.failures.size() + b.failures.size() >= 1);
  CHECK(a.downs.empty());
}

TEST_CASE_FIXTURE(wire_fixture, "a dialer whose link breaks before it is up is told so") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  wire.block(1, 0);
  a.network->connect(b.at);
  run_for(1s);
  REQUIRE(b.ups.size() == 1);
  wire.break_links(0, 1);
  wire.unblock(1, 0);
  run_for(1s);
  CHECK(a.ups.empty());
  CHECK(a.failures.size() == 1);
  CHECK(b.downs.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture, "the peers of a process that dies are told") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  wire.kill(1, false);
  run_for(1s);
  CHECK(a.downs.size() == 1);
  CHECK(b.downs.empty());
  CHECK_FALSE(b.send(a, lane::control, 0));
  a.network->connect(b.at);
  run_for(1s);
  CHECK(a.failures.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture, "nobody is told of a machine without power, until it is back") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  wire.kill(1, true);
  REQUIRE(a.send(b, lane::control, 0));
  a.network->connect(b.at);
  run_for(10s);
  CHECK(a.downs.empty());
  REQUIRE(a.failures.size() == 1);
  CHECK(a.failures[0].code == errc::timed_out);
  const wired_node again(wire, time, 1, 2);
  run_for(1s);
  CHECK(a.downs.empty());
  REQUIRE(a.send(b, lane::control, 0)); // and this is answered by a reset
  run_for(1s);
  CHECK(a.downs.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture,
                  "a machine that loses its power again before it has answered is told of later") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  wire.kill(1, true);
  {
    const wired_node again(wire, time, 1, 2);
    REQUIRE(a.send(b, lane::control, 0)); // on its way when the machine goes dark again
    wire.kill(1, true);
  }
  run_for(1s);
  CHECK(a.downs.empty());
  const wired_node for_good(wire, time, 1, 3);
  REQUIRE(a.send(b, lane::control, 0));
  run_for(1s);
  CHECK(a.downs.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture, "keepalive finds a machine that never comes back") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  wire.kill(1, true);
  run_for(59s);
  CHECK(a.downs.empty());
  run_for(2s);
  CHECK(a.downs.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture, "a host that hangs hears everything in order when it resumes") {
  wired_node a(wire, time, 0), b(wire, time, 1), c(wire, time, 2);
  link(a, b);
  wire.hang(1);
  for (int i = 0; i < 5; ++i)
    REQUIRE(a.send(b, lane::bulk, 0));
  c.network->connect(b.at);
  run_for(2s);
  CHECK(b.frames.empty());
  CHECK(c.ups.empty());
  wire.resume(1);
  run_for(1s);
  CHECK(b.numbers(lane::bulk, 0) == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  CHECK(c.ups.size() == 1);
}

TEST_CASE_FIXTURE(wire_fixture,
                  "a node that comes back with a higher incarnation takes the place") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(b, a);
  wire.kill(1, true);
  wired_node again(wire, time, 1, 2);
  again.network->connect(a.at);
  run_for(1s);
  CHECK(again.ups.size() == 1);
  CHECK(a.ups.size() == 2);
  CHECK(a.downs.size() == 1);
}

TEST_CASE("requests that may be repeated come again, others do not") {
  wire_fixture f({.latency = 1ms, .jitter = 1ms, .repeat_one_in = 2});
  wired_node a(f.wire, f.time, 0), b(f.wire, f.time, 1);
  f.link(a, b);
  constexpr std::size_t count = 100;
  for (std::size_t i = 0; i < count; ++i)
    REQUIRE(a.send(b, lane::bulk, 0, mesh::message_traits<schema::Push>::kind));
  f.run_for(1s);
  CHECK(b.frames.size() > count);
  const auto pushes = b.frames.size();
  for (std::size_t i = 0; i < count; ++i)
    REQUIRE(a.send(b, lane::bulk, 0));
  f.run_for(1s);
  CHECK(b.frames.size() == pushes + count);
}

TEST_CASE_FIXTURE(wire_fixture, "what a node's roles do not allow reaches no actor") {
  wired_node a(wire, time, 0), b(wire, time, 1);
  link(a, b);
  REQUIRE(a.send(b, lane::control, 0, mesh::message_traits<schema::View>::kind));
  run_for(1s);
  CHECK(b.frames.empty());
  CHECK(b.refused == 1);
}
