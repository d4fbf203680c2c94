#include "tools/chaos/fault_plan.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace gradmesh;
using namespace gradmesh::tools::chaos;
using namespace std::chrono_literals;

namespace {

const std::vector<fault_kind> every_kind(std::begin(all_fault_kinds), std::end(all_fault_kinds));
const victims mesh{.coordinators = {"coordinator"},
                   .servers = {"server-0", "server-1"},
                   .data_servers = {"data-server-0"},
                   .workers = {"worker-0", "worker-1", "worker-2"}};

std::string sequence(std::uint64_t seed) {
  fault_plan plan(seed, every_kind, mesh, 2s);
  std::string text;
  for (int i = 0; i < 50; ++i) {
    const auto f = plan.next();
    text += f.node + " " + describe(f) + " " + std::to_string(plan.pause(1s).count()) + "\n";
  }
  return text;
}

} // namespace

TEST_CASE("the same seed gives the same faults, another one others") {
  CHECK(sequence(1) == sequence(1));
  CHECK(sequence(1) != sequence(2));
}

TEST_CASE("every kind and every role is hit about as often as any other") {
  fault_plan plan(3, every_kind, mesh, 2s);
  std::map<fault_kind, int> kinds;
  std::map<std::string, int> kills;
  for (int i = 0; i < 4000; ++i) {
    const auto f = plan.next();
    ++kinds[f.kind];
    if (f.kind == fault_kind::kill) ++kills[f.node.substr(0, f.node.find('-'))];
  }
  for (const auto kind : every_kind)
    CHECK(kinds[kind] == doctest::Approx(1000).epsilon(0.15));
  for (const auto* role : {"coordinator", "server", "data", "worker"})
    CHECK(kills[role] == doctest::Approx(250).epsilon(0.25));
}

TEST_CASE("only nodes that write files find their disk full") {
  fault_plan plan(4, {fault_kind::disk_full}, mesh, 2s);
  std::set<std::string> hit;
  for (int i = 0; i < 200; ++i)
    hit.insert(plan.next().node);
  CHECK(hit == std::set<std::string>{"coordinator", "server-0", "server-1"});
}

TEST_CASE("faults that end by themselves last between the least and the longest time") {
  fault_plan plan(5, every_kind, mesh, 300ms);
  std::set<cut_shape> shapes;
  for (int i = 0; i < 500; ++i) {
    const auto f = plan.next();
    if (f.kind == fault_kind::partition) shapes.insert(f.shape);
    const bool at_once = f.kind == fault_kind::kill ||
                         (f.kind == fault_kind::partition && f.shape == cut_shape::broken);
    if (at_once) {
      CHECK(f.lasts == 0ms);
    } else {
      CHECK(f.lasts >= shortest_fault);
      CHECK(f.lasts <= 300ms);
    }
  }
  CHECK(shapes.size() == 4);
}

TEST_CASE("a mesh without data servers has none to hit") {
  auto partitioned = mesh;
  partitioned.data_servers.clear();
  fault_plan plan(6, {fault_kind::kill}, partitioned, 2s);
  for (int i = 0; i < 100; ++i)
    CHECK_FALSE(plan.next().node.starts_with("data-server"));
}

TEST_CASE("pauses lie around the interval") {
  fault_plan plan(7, every_kind, mesh, 2s);
  for (int i = 0; i < 200; ++i) {
    const auto pause = plan.pause(1s);
    CHECK(pause >= 500ms);
    CHECK(pause <= 1500ms);
  }
  CHECK(plan.pause(0ms) == 0ms);
}

TEST_CASE("kinds are read as a list, and faults in it are said") {
  CHECK(*parse_fault_kinds("stop,kill") == std::vector{fault_kind::stop, fault_kind::kill});
  CHECK(parse_fault_kinds("kill,stop,partition,disk-full")->size() == 4);
  CHECK(parse_fault_kinds("kill,hang").failure().text ==
        "'hang' is not one of kill, stop, partition, disk-full");
  CHECK(parse_fault_kinds("kill,kill").failure().text == "'kill' stands there twice");
  CHECK(parse_fault_kinds("").failure().code == errc::invalid_argument);
}

TEST_CASE("faults can be kept to some roles") {
  const auto roles = parse_victim_roles("server,worker");
  REQUIRE(roles);
  fault_plan plan(6, every_kind, only(mesh, *roles), 2s);
  std::set<std::string> hit;
  for (int i = 0; i < 400; ++i)
    hit.insert(plan.next().node);
  CHECK(hit == std::set<std::string>{"server-0", "server-1", "worker-0", "worker-1", "worker-2"});
  CHECK(parse_victim_roles("server,chef").failure().text ==
        "'chef' is not one of coordinator, server, data-server, worker");
  CHECK_FALSE(hits(fault_kind::disk_full, victim_role::worker));
}
