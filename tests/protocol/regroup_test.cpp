/// A job goes on when members are lost or come: nothing is left out, nothing counts twice. The
/// shards of these tests only keep books (tests/support/ledger_shards.hpp).

#include "actors/env/random.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/ledger_shards.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::ledger_shards;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr std::uint64_t examples = 1000;
constexpr std::uint64_t steps = 2 * 16; // of 64, in two epochs

struct method {
  std::string strategy;
  std::string deterministic = "false";
};
const method methods[] = {{"bsp"}, {"bsp", "true"}, {"ssp"}, {"bounded-delay"}, {"async"}};

/// A mesh whose nodes are told by their names.
struct bench {
  bench(std::size_t servers, std::size_t workers, std::size_t data_servers, rule_set rules = {},
        const std::string& node_options = {})
      : mesh({.rules = rules,
              .log = [this](env::severity, std::string_view line) { log.emplace_back(line); }}),
        workers_(workers) {
    mesh.add_roles(servers, workers, data_servers, node_options);
    names_ = {"coordinator"};
    const auto name = [&](const std::string& role, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        names_.push_back(role + "-" + std::to_string(i));
    };
    name("server", servers);
    name("data-server", data_servers);
    name("worker", workers);
    for (std::size_t i = 0; i < servers; ++i)
      shards.attach(mesh.node_at(1 + i));
    const auto data = testing::random_sparse(1, examples, 50, 3, 5, true);
    REQUIRE(mesh.disk().write("train.libsvm", testing::libsvm_text(data)));
    const auto test = testing::random_sparse(2, 200, 50, 3, 5, true);
    REQUIRE(mesh.disk().write("test.libsvm", testing::libsvm_text(test)));
  }

  void submit(const method& m, const std::string& options = "", const std::string& test = "") {
    auto text = test_job{.strategy = m.strategy,
                         .deterministic = m.deterministic,
                         .test = test,
                         .features = 50,
                         .classes = 3}
                    .text();
    text.insert(text.find('\n') + 1, options);
    mesh.submit(text);
    pieces = (m.deterministic == "true" ? 4 : workers_) * steps;
  }
  node::node& node(const std::string& name) {
    const auto found = std::ranges::find(names_, name);
    REQUIRE(found != names_.end());
    return mesh.node_at(static_cast<std::size_t>(found - names_.begin()));
  }
  void add(const std::string& role, std::size_t number) {
    auto& added = mesh.add_node(virtual_mesh::node_file(role, number));
    names_.push_back(role + "-" + std::to_string(number));
    if (role == "server") shards.attach(added);
  }
  /// As a client would, but from the coordinator's own node. The replicas that have to move;
  /// nothing if it is refused.
  std::optional<std::uint32_t> drain(const std::string& name) {
    const mesh::service_id client{mesh::service_kind::client, 0};
    auto& router = *node("coordinator").context()->router;
    std::optional<std::uint32_t> replicas;
    router.bind(client, [&](const mesh::frame_ptr& f) {
      if (const auto started = mesh::message<schema::DrainStarted>::decode(f);
          f->header.kind == mesh::message_traits<schema::DrainStarted>::kind)
        replicas = (**started).getReplicas();
      if (f->header.kind == mesh::message_traits<schema::Refusal>::kind)
        refusal = mesh::to_error(**mesh::message<schema::Refusal>::decode(f));
      return result<void>();
    });
    mesh::draft<schema::DrainNode> request;
    request->setNode(name);
    refusal = {};
    REQUIRE(router.send(router.local({mesh::service_kind::coordinator, 0}), client, request));
    mesh.run_until([&] { return replicas || refusal; }, 10s);
    router.unbind(client);
    return replicas;
  }
  void kill(const std::string& name) {
    killed_.insert(node(name).identity().uuid);
    mesh.cut(node(name));
  }

  /// Lets training go on until so many pieces are done on a shard.
  void train_to(std::uint64_t done) {
    REQUIRE(mesh.run_until(
        [&] { return !shards.books().empty() && shards.books().at(0).done.size() >= done; }, 1min));
  }
  /// Each shard has a synced backup on servers that live, or the job is over.
  bool whole() const {
    const auto lives = [&](const job::place& host) { return !killed_.contains(host.where.node); };
    const auto& layout = shards.layout();
    return mesh.outcome().ended() ||
           (std::ranges::all_of(layout.hosts(), lives) &&
            std::ranges::all_of(layout.shards, [](const auto& s) { return s.synced; }));
  }
  void check_complete() {
    const auto outcome = mesh.finish();
    REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
    CHECK(shards.missing(pieces) == 0);
    CHECK(outcome.examples_done == 2 * examples);
    for (const auto& [shard, book] : shards.books()) {
      CHECK(book.overlaps == 0);
      CHECK(book.too_old == 0);
    }
  }

  std::vector<std::string> log; // of all nodes; outlives the mesh
  ledger_shards shards;         // the same
  virtual_mesh mesh;
  std::uint64_t pieces = 0;
  error refusal; // of the latest drain

private:
  std::set<mesh::node_uuid> killed_;
  std::size_t workers_;
  std::vector<std::string> names_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("books of shards see each piece once when nothing happens") {
  for (const auto& m : methods) {
    CAPTURE(m.strategy);
    bench b(2, 3, 2);
    b.submit(m);
    b.check_complete();
    CHECK(b.shards.repeated() == 0);
    CHECK(b.shards.revision() == 0);
  }
}

TEST_CASE("a job goes on without a worker or a data server that is lost") {
  for (const auto& m : methods)
    for (const std::string lost : {"worker-0", "worker-2", "data-server-0", "data-server-1"}) {
      CAPTURE(m.strategy);
      CAPTURE(lost);
      bench b(2, 3, 2);
      b.submit(m);
      b.train_to(30);
      b.kill(lost);
      b.check_complete();
      CHECK(b.shards.revision() == 1);
      CHECK(b.mesh.outcome().update.has_value());
    }
}

TEST_CASE("a backup takes the place of a server that is lost, and no worker loses a push") {
  for (const auto& m : methods) {
    CAPTURE(m.strategy);
    bench b(3, 2, 1);
    b.submit(m);
    b.train_to(20);
    b.kill("server-1");
    b.check_complete();
    CHECK(b.shards.revision() == 0); // the workers stay who they are
    CHECK(b.shards.layout().primary(1).name == "server-2");
  }
}

TEST_CASE("a worker that forgets what a lost server had not acknowledged leaves steps undone") {
  for (const bool kept : {true, false}) {
    rule_set rules;
    if (!kept) rules.break_rule(rule::pushes_kept);
    int whole = 0;
    for (std::uint64_t at = 10; at < 40; at += 5) {
      bench b(2, 3, 1, rules);
      b.submit({"bsp"});
      b.train_to(at);
      b.kill("server-0");
      if (b.mesh.finish().phase == schema::JobPhase::DONE && b.shards.missing(b.pieces) == 0)
        ++whole;
    }
    CHECK((whole == 6) == kept);
  }
}

TEST_CASE("pieces that are done are not trained again by the next generation") {
  for (std::uint64_t at = 10; at < 50; at += 5) {
    bench b(1, 3, 1);
    b.submit({"async"});
    b.train_to(at);
    b.kill("worker-1");
    REQUIRE(b.mesh.finish().phase == schema::JobPhase::DONE);
    CHECK(b.shards.missing(b.pieces) == 0);
    CHECK(b.shards.repeated() == 0);
  }
}

TEST_CASE("a shard without a copy is lost with its server, and the job says so") {
  bench b(2, 1, 1);
  b.submit({"bsp"}, "replication = 1\n");
  b.train_to(5);
  b.kill("server-1");
  const auto outcome = b.mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK(outcome.failed_node == "server-1");
  CHECK_MESSAGE(contains(outcome.text, "shard 1 is lost: node 'server-1' went away"), outcome.text);
  CHECK(contains(outcome.text, "job.replication = 1"));
}

TEST_CASE("a backup that was not synced in time does not save its shard") {
  bench b(2, 1, 1);
  b.shards.sync_backups = false;
  b.submit({"bsp"});
  b.train_to(5);
  b.kill("server-1");
  b.add("server", 2);
  REQUIRE(b.mesh.run_until(
      [&] {
        const auto& second = b.shards.layout().shards[1];
        return second.primary.name == "server-0" && second.backup.has_value();
      },
      5s));
  b.kill("server-0");
  const auto outcome = b.mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK_MESSAGE(contains(outcome.text, "is lost: node 'server-0' went away"), outcome.text);
}

TEST_CASE("without its last worker or data server a job waits, says for whom, and goes on") {
  for (const std::string role : {"worker", "data-server"}) {
    CAPTURE(role);
    bench b(1, 1, 1, {}, "[emulation]\nstep_time_ms = 50\n"); // so that it is not done by then
    b.submit({"ssp"}, "wait = 20\n");
    b.train_to(10);
    b.kill(role + "-0");
    b.mesh.run_until([] { return false; }, 5s);
    CHECK(b.mesh.outcome().phase == schema::JobPhase::PREPARING);
    CHECK_MESSAGE(contains(b.mesh.outcome().text,
                           "waiting for a " + (role == "worker" ? role : "data server")),
                  b.mesh.outcome().text);
    CHECK(contains(b.mesh.outcome().text, "at most 20 s: node '" + role + "-0' is gone"));
    b.add(role, 1);
    b.check_complete();
  }
}

TEST_CASE("a job that nobody comes to work for fails when its time is over, by name") {
  bench b(1, 1, 1);
  b.submit({"bsp"}, "wait = 3\n");
  b.train_to(5);
  b.kill("worker-0");
  const auto outcome = b.mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK(outcome.failed_node == "worker-0");
  CHECK_MESSAGE(contains(outcome.text, "after 3 s (job.wait)"), outcome.text);
}

TEST_CASE("workers, data servers and servers that come take part in a running job") {
  bench b(1, 1, 1, {}, "[emulation]\nstep_time_ms = 200\n");
  b.submit({"bsp", "true"}, "", "test.libsvm");
  b.train_to(8);
  b.add("worker", 1);
  b.add("data-server", 1);
  b.add("server", 1);
  b.check_complete();
  CHECK(b.shards.revision() == 1);
  CHECK(b.shards.layout().shards[0].backup->name == "server-1");
  CHECK(b.shards.layout().shards[0].synced);
  const auto workers = (**b.mesh.outcome().update).getWorkers();
  REQUIRE(workers.size() == 2);
  for (const auto worker : workers)
    CHECK(worker.getSteps() > 0);
}

TEST_CASE("a job in evaluation begins it again without who is lost") {
  for (const std::string lost : {"worker-0", "data-server-0", "server-0"}) {
    CAPTURE(lost);
    bench b(2, 2, 2);
    b.submit({"bsp"}, "", "test.libsvm");
    while (b.mesh.outcome().phase != schema::JobPhase::EVALUATING && !b.mesh.outcome().ended())
      b.mesh.handle(1);
    REQUIRE_FALSE(b.mesh.outcome().ended());
    b.mesh.handle(10);
    b.kill(lost);
    const auto outcome = b.mesh.finish();
    REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text);
    CHECK(outcome.test_done == 200);
    CHECK(b.shards.missing(b.pieces) == 0);
  }
}

TEST_CASE("a node that drains leaves the job, with its replicas, and nothing is lost") {
  for (const std::string leaves : {"server-0", "worker-1", "data-server-0"}) {
    CAPTURE(leaves);
    bench b(3, 2, 2, {}, "[emulation]\nstep_time_ms = 100\n");
    b.submit({"bsp", "true"});
    b.train_to(8);
    CHECK_FALSE(b.drain("nobody"));
    REQUIRE(b.drain(leaves) == std::optional(leaves == "server-0" ? 2U : 0U));
    b.mesh.run_until([] { return false; }, 1s);
    const auto& uuid = b.node(leaves).identity().uuid;
    for (const auto& host : b.shards.layout().hosts())
      CHECK(host.where.node != uuid);
    b.kill(leaves); // which concerns nobody any more
    const auto revision = b.shards.revision();
    b.check_complete();
    CHECK(b.shards.revision() == revision);
  }
}

TEST_CASE("the last worker of a job cannot be drained") {
  bench b(2, 1, 1, {}, "[emulation]\nstep_time_ms = 100\n");
  b.submit({"bsp"});
  b.train_to(2);
  CHECK_FALSE(b.drain("worker-0"));
  CHECK(b.refusal.code == errc::refused);
  CHECK_MESSAGE(contains(b.refusal.text, "the last worker"), b.refusal.text);
}

TEST_CASE("members of a job go on without their coordinator") {
  bench b(1, 2, 1);
  b.submit({"async"});
  b.train_to(10);
  b.kill("coordinator");
  REQUIRE(b.mesh.run_until([&] { return b.shards.missing(b.pieces) == 0; }, 1min));
  b.mesh.run_until([] { return false; }, 2min); // longer than node.join_timeout
  // (The server's real shard, which has no job here, lets its node go.)
  for (std::size_t node = 2; node < 5; ++node)
    CHECK_MESSAGE(!b.mesh.end_of(node), b.mesh.end_of(node).text);
}

TEST_CASE("a worker that gives up says which request had no answer, and for whom it waited") {
  bench b(1, 1, 1);
  b.submit({"async"}, "request_timeout = 5\nwait = 20\n");
  b.train_to(5);
  b.kill("coordinator");
  b.kill("server-0");
  const auto limit = std::string("25 s: job.request_timeout (5 s) and job.wait (20 s), because "
                                 "there is no link to 'server-0'");
  const auto says = [&](const std::string& what, const std::string& how_long) {
    return std::ranges::any_of(b.log, [&](const std::string& line) {
      return contains(line, what) && contains(line, how_long);
    });
  };
  b.mesh.run_until([] { return false; }, 24s);
  CHECK(says("waits for it, or for another server in its place, at most", limit));
  CHECK_FALSE(says("no answer", ""));
  b.mesh.run_until([] { return false; }, 2s);
  CHECK(says("by shard 0 on 'server-0' within", limit));
}

TEST_CASE("whoever is lost whenever, a job with enough members left is done whole") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    env::random_stream random(seed);
    bench b(3, 3, 3);
    const auto& m = methods[random.below(std::size(methods))];
    CAPTURE(m.strategy);
    b.submit(m, "", "test.libsvm");
    std::vector<std::string> spare{"server-", "worker-", "data-server-"};
    std::map<std::string, std::uint64_t> gone;
    b.train_to(1 + random.below(10));
    for (int kills = 0; kills < 5; ++kills) {
      const auto& role = spare[random.below(spare.size())];
      // A second server may go when all shards have a synced copy again.
      if (role == "server-") REQUIRE(b.mesh.run_until([&] { return b.whole(); }, 10s));
      if (gone[role] < 2) b.kill(role + std::to_string(gone[role]++));
      b.mesh.handle(random.below(600));
    }
    b.check_complete();
  }
}
