#include "actors/mesh/stored_identity.hpp"

#include "actors/env/memory_disk.hpp"
#include "actors/env/random.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;

namespace {

struct node_state {
  node_state() { REQUIRE(disk.create_directories("state")); }

  result<mesh::node_identity> begin() {
    return mesh::begin_life(disk, "state", [this] { return random.next(); });
  }

  env::memory_disk disk;
  env::random_stream random{7};
};

} // namespace

TEST_CASE("a node keeps its uuid and raises its incarnation at each start") {
  node_state node;
  const auto first = node.begin();
  REQUIRE(first);
  CHECK(first->incarnation == 1);
  CHECK(first->uuid != mesh::node_uuid{});
  for (std::uint64_t life = 2; life < 20; ++life) {
    const auto next = node.begin();
    REQUIRE(next);
    CHECK(next->uuid == first->uuid);
    CHECK(next->incarnation == life);
  }
}

TEST_CASE("what a life is called is on the disk before it begins") {
  node_state node;
  const auto begun = node.begin();
  REQUIRE(begun);
  CHECK(mesh::parse_identity(*node.disk.read("state/identity", 4096)) == *begun);
}

TEST_CASE("nodes with folders of their own are different nodes") {
  node_state node;
  REQUIRE(node.disk.create_directories("other"));
  const auto one = node.begin();
  const auto other = mesh::begin_life(node.disk, "other", [&] { return node.random.next(); });
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->uuid != other->uuid);
}

TEST_CASE("an identity file with any bit flipped or any byte missing is refused and left alone") {
  node_state node;
  REQUIRE(node.begin());
  const auto whole = *node.disk.read("state/identity", 4096);
  const auto refuses = [&](const std::string& bytes) {
    REQUIRE(node.disk.write("state/identity", bytes));
    const auto begun = node.begin();
    REQUIRE_FALSE(begun);
    CHECK(begun.failure().code == errc::malformed_data);
    CHECK(begun.failure().text.find("'state/identity' is damaged") != std::string::npos);
    CHECK(begun.failure().text.find("delete the folder 'state'") != std::string::npos);
    CHECK(*node.disk.read("state/identity", 8192) == bytes);
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    refuses(damaged);
  }
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    refuses(whole.substr(0, bytes));
  refuses(whole + "\n");
  refuses(std::string(5000, 'x'));
}

TEST_CASE("a node whose incarnation cannot be stored does not begin") {
  env::memory_disk disk; // without the folder
  const auto begun = mesh::begin_life(disk, "state", [] { return std::uint64_t{1}; });
  REQUIRE_FALSE(begun);
  CHECK(begun.failure().code == errc::io_failed);
  CHECK(begun.failure().text.find("incarnation 1 could not be stored") != std::string::npos);
}

TEST_CASE("incarnations do not begin anew after the last") {
  node_state node;
  auto last = mesh::draw_identity([&] { return node.random.next(); });
  last.incarnation = ~std::uint64_t{0};
  REQUIRE(node.disk.write("state/identity", mesh::identity_text(last)));
  const auto begun = node.begin();
  REQUIRE_FALSE(begun);
  CHECK(begun.failure().code == errc::limit_exceeded);
}
