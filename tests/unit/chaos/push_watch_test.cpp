/// What the chaos proxy understands of the bytes that go through it.

#include "tools/chaos/push_watch.hpp"

#include "actors/env/random.hpp"
#include "actors/mesh/message.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::tools::chaos;

namespace {

constexpr mesh::node_uuid worker{1};
constexpr mesh::node_uuid server{2};
constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};
constexpr mesh::service_id worker_service{mesh::service_kind::worker, 0};

/// The bytes of a frame, as a link sends them.
template <class T>
std::string bytes_of(const mesh::draft<T>& draft, const mesh::node_uuid& from,
                     std::uint64_t message_id, std::uint64_t in_reply_to = 0) {
  auto f = draft.build({server, shard_service}, worker_service, in_reply_to,
                       mesh::message_traits<T>::on);
  f.header.from = {from, 1};
  f.header.message_id = message_id;
  const auto header = mesh::encode_header(f);
  std::string bytes(reinterpret_cast<const char*>(header.data()), header.size());
  const auto metadata = std::as_bytes(std::span(f.metadata));
  bytes.append(reinterpret_cast<const char*>(metadata.data()), metadata.size());
  bytes.append(reinterpret_cast<const char*>(f.body.bytes.data()), f.body.bytes.size());
  return bytes;
}

std::string push(std::uint64_t id, std::uint32_t shard, std::size_t body_bytes = 0) {
  mesh::draft<schema::Push> draft;
  draft->setShard(shard);
  draft.body = mesh::allocate_body(body_bytes).share();
  return bytes_of(draft, worker, id);
}

std::string pushed(std::uint64_t of) {
  return bytes_of(mesh::draft<schema::Pushed>(), server, 900 + of, of);
}

std::string refusal(std::uint64_t of, errc code) {
  return bytes_of(mesh::make_refusal({code, "no"}), server, 900 + of, of);
}

} // namespace

TEST_CASE("frames are found wherever the bytes of a connection are cut") {
  const auto stream = push(1, 0, 1000) + push(2, 1) + pushed(7) + push(3, 2, 40);
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    std::vector<std::uint64_t> ids;
    frame_scan scan([&](const mesh::frame_ptr& f) { ids.push_back(f->header.message_id); });
    for (std::string_view rest = stream; !rest.empty();) {
      const auto piece = std::min<std::size_t>(rest.size(), 1 + random.below(seed));
      scan.take(rest.substr(0, piece));
      rest.remove_prefix(piece);
    }
    CHECK(ids == std::vector<std::uint64_t>{1, 2, 907, 3});
  }
}

TEST_CASE("bytes that are no frames are left alone") {
  int frames = 0;
  frame_scan scan([&](const mesh::frame_ptr&) { ++frames; });
  scan.take(std::string(5000, 'x'));
  scan.take(push(1, 0));
  CHECK(frames == 0);
}

TEST_CASE("a push and its answer are brought together by shard, over both connections of a link") {
  push_watch watch;
  const auto bulk = watch.listen("server-0");
  const auto control = watch.listen("server-0");
  control.there(bytes_of(mesh::draft<schema::Pull>(), worker, 1)); // says who dials
  bulk.there(push(10, 0) + push(11, 3) + push(12, 3));
  bulk.back(pushed(10) + pushed(11));
  control.back(refusal(12, errc::stale_layout));
  bulk.back(pushed(99)); // was not asked for here
  const auto seen = watch.since_mark();
  REQUIRE(seen.size() == 2);
  CHECK(seen.at(0).acknowledged.size() == 1);
  CHECK(seen.at(0).refused.empty());
  CHECK(seen.at(3).acknowledged.size() == 1);
  REQUIRE(seen.at(3).refused.size() == 1);
  CHECK(seen.at(3).refused[0].error == "stale_layout");
  CHECK(seen.at(0).acknowledged[0].sent <= seen.at(0).acknowledged[0].answered);
}

TEST_CASE("a mark forgets what was before, but not which node was the primary") {
  push_watch watch;
  const auto first = watch.listen("server-0");
  const auto second = watch.listen("server-1");
  first.there(push(1, 5) + push(2, 5));
  first.back(pushed(1));
  watch.mark();
  CHECK(watch.since_mark().at(5).acknowledged.empty());
  CHECK(watch.since_mark().at(5).primary == "server-0");
  second.there(push(3, 5));
  second.back(pushed(3));
  CHECK(watch.since_mark().at(5).acknowledged.size() == 1);
  CHECK(watch.since_mark().at(5).primary == "server-0");
  CHECK(watch.since_mark().at(5).backup.empty());
  watch.mark({{5, "server-2"}});
  CHECK(watch.since_mark().at(5).primary == "server-1");
  CHECK(watch.since_mark().at(5).backup == "server-2");
}
