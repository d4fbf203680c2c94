// The reader on a socket: what has come already is read at once, what has not is waited for.

#include "actors/env/network/frame_reader.hpp"
#include "actors/env/random.hpp"
#include "tests/unit/network/test_node.hpp"

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <sys/socket.h>

#include <algorithm>
#include <random>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;

namespace {

constexpr mesh::node_identity sender{{1, 2}, 3};

std::vector<std::byte> on_the_wire(const std::vector<mesh::frame_ptr>& frames) {
  std::vector<std::byte> wire;
  const auto add = [&](std::span<const std::byte> bytes) {
    wire.insert(wire.end(), bytes.begin(), bytes.end());
  };
  for (const auto& f : frames) {
    add(mesh::encode_header(*f));
    add(std::as_bytes(std::span(f->metadata)));
    add(f->body.bytes);
  }
  return wire;
}

/// A reader at one end of a connection, and what it has read.
struct reading {
  reading() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    writing_end = kj::AutoCloseFd(ends[1]);
    using descriptors = kj::LowLevelAsyncIoProvider;
    stream = io.lowLevelProvider->wrapSocketFd(ends[0], descriptors::TAKE_OWNERSHIP |
                                                            descriptors::ALREADY_NONBLOCK |
                                                            descriptors::ALREADY_CLOEXEC);
    reader.emplace(*stream, stream->getFd());
    done = reader
               ->read_all([this](mesh::frame_ptr f) {
                 frames.push_back(std::move(f));
                 return error{};
               })
               .then([this](error e) {
                 why = std::move(e);
                 ended = true;
               })
               .eagerlyEvaluate(nullptr);
  }

  /// The loop runs until it has nothing to do.
  void settle() { io.waitScope.poll(); }

  /// Writes so many bytes, and lets the loop run where the system takes no more.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto sent = send(writing_end.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
      if (sent < 0) settle();
      REQUIRE_FALSE(ended);
    }
  }

  void close() {
    writing_end = nullptr;
    while (!ended)
      settle();
  }

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::AutoCloseFd writing_end;
  kj::Own<kj::AsyncIoStream> stream;
  std::optional<frame_reader> reader;
  std::vector<mesh::frame_ptr> frames;
  error why;
  bool ended = false;
  kj::Promise<void> done = nullptr;
};

} // namespace

TEST_CASE("frames of all sizes arrive whole and in order, however they are cut on their way") {
  const auto seed = std::random_device{}();
  INFO("seed ", seed);
  random_stream random(seed);
  std::vector<mesh::frame_ptr> sent;
  for (std::uint64_t id = 1; id <= 60; ++id) {
    const auto largest = id % 3 == 0 ? 600u << 10 : id % 3 == 1 ? 20u << 10 : 100u;
    sent.push_back(
        make_frame(sender, mesh::lane::bulk, id, 3 * random.below(40), random.below(largest)));
  }
  const auto wire = on_the_wire(sent);

  reading r;
  for (std::span<const std::byte> rest = wire; !rest.empty();) {
    const auto next = std::min<std::size_t>(rest.size(), 1 + random.below(900u << 10));
    r.write(rest.first(next));
    rest = rest.subspan(next);
    if (random.below(2) == 0) r.settle();
  }
  r.close();

  CHECK_MESSAGE(!r.why, to_string(r.why));
  REQUIRE(r.frames.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(r.frames[i]->header == sent[i]->header);
    CHECK(r.frames[i]->metadata == sent[i]->metadata);
    CHECK(std::ranges::equal(r.frames[i]->body.bytes, sent[i]->body.bytes));
  }
}

TEST_CASE("a connection that ends within a frame is not taken for one that ends between two") {
  const auto seed = std::random_device{}();
  INFO("seed ", seed);
  random_stream random(seed);
  for (const std::size_t body : {50u, 100u << 10, 600u << 10}) {
    CAPTURE(body);
    const std::vector<mesh::frame_ptr> sent{make_frame(sender, mesh::lane::bulk, 1, 30, body),
                                            make_frame(sender, mesh::lane::bulk, 2, 30, body)};
    const auto wire = on_the_wire(sent);
    const auto second = wire.size() / 2;
    reading r;
    r.write(std::span(wire).first(second + 1 + random.below(second - 1)));
    r.close();
    CHECK(r.frames.size() == 1);
    CHECK(r.why.code == errc::node_lost);
  }
}
