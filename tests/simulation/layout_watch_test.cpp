/// Two primaries of one shard do not go unnoticed.

#include "tools/sim/layout_watch.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using tools::sim::layout_watch;

namespace {

constexpr std::uint64_t job_id = 1;
const mesh::node_uuid coordinator{1}, worker{2}, server{3}, other_server{4};
constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};

mesh::frame_ptr sent(mesh::frame f, const mesh::node_uuid& from, std::uint64_t number) {
  f.header.from = {from, 1};
  f.header.message_id = number;
  return std::make_shared<const mesh::frame>(std::move(f));
}

mesh::frame_ptr layout(std::uint64_t number, const mesh::node_uuid& primary) {
  auto made = job::unreplicated({{{primary, shard_service}, "a server"}});
  made.number = number;
  mesh::draft<schema::Layout> draft;
  job::encode(made, job_id, *draft);
  return sent(draft.build({}, {}, 0, mesh::lane::control), coordinator, number);
}

mesh::frame_ptr push(std::uint64_t layout, std::uint64_t message_id) {
  mesh::draft<schema::Push> draft;
  draft->setJobId(job_id);
  draft->setLayout(layout);
  return sent(draft.build({}, {}, 0, mesh::lane::bulk), worker, message_id);
}

void acknowledge(layout_watch& watch, const mesh::node_uuid& by, std::uint64_t message_id) {
  const mesh::draft<schema::Pushed> draft;
  const auto f =
      sent(draft.build({worker, {}}, shard_service, message_id, mesh::lane::bulk), by, 1);
  watch.see(f);
  watch.see_answer(f->header, worker);
}

} // namespace

TEST_CASE("a layout is the same for all who are told of it") {
  layout_watch watch;
  watch.see(layout(1, server));
  watch.see(layout(1, server));
  watch.see(layout(2, other_server));
  CHECK(watch.violation().empty());
  watch.see(layout(2, server));
  CHECK(watch.violation().find("layout 2") != std::string::npos);
}

TEST_CASE("only the primary of a layout answers what was asked under it") {
  layout_watch watch;
  watch.see(layout(1, server));
  watch.see(layout(2, other_server));
  watch.see(push(1, 10));
  watch.see(push(2, 11));
  acknowledge(watch, server, 10);
  acknowledge(watch, other_server, 11);
  CHECK(watch.violation().empty());
  acknowledge(watch, server, 11);
  CHECK(watch.violation().find("whose primary it is not in layout 2") != std::string::npos);
}
