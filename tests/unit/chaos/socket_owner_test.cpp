#include "tools/chaos/socket_owner.hpp"

#include "tests/unit/chaos/tcp_end.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace gradmesh::tools::chaos;
using gradmesh::testing::tcp_end;
using gradmesh::testing::tcp_listener;

TEST_CASE("a connection's process is found by its two ports") {
  tcp_listener listener;
  const auto dialled = tcp_end::dial(listener.port());
  const auto inode = socket_inode(dialled.local_port(), listener.port());
  REQUIRE(inode != 0);
  CHECK(has_socket(getpid(), inode));
  CHECK_FALSE(has_socket(getppid(), inode));
  CHECK(socket_inode(listener.port(), listener.port()) == 0);
}

TEST_CASE("without such processes there are no nodes") {
  CHECK(node_processes("/nonexistent").empty());
}
