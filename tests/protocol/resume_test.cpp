/// Checkpoints of running jobs, and jobs that go on from them, on whole meshes in virtual time.

#include "actors/node/context.hpp"
#include "actors/store/checkpoint_store.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::test_job;
using testing::virtual_mesh;

namespace {

constexpr auto folder = "checkpoints";
constexpr std::uint64_t file_bytes_max = 1u << 26;
constexpr std::uint32_t counted_examples = 1024;
constexpr double counted_rate = 1e-3;

struct answer {
  std::optional<mesh::message<schema::CheckpointCreated>> created;
  error refusal;
};

/// A mesh with data of all kinds, and a client on the coordinator's node.
struct bench {
  bench(std::size_t servers, std::size_t workers, const std::string& more = {}) {
    mesh.add_roles(servers, workers, 1, more);
    const auto put = [&](const char* name, const learning::dataset& data) {
      REQUIRE(mesh.disk().write(name, testing::libsvm_text(data)));
    };
    put("train.libsvm", testing::random_sparse(5, 1000, 300, 4, 8, false));
    put("test.libsvm", testing::random_sparse(6, 200, 300, 4, 8, false));
    std::string counted;
    for (std::uint32_t i = 0; i < counted_examples; ++i)
      counted += fmt::format("{} {}:1\n", i % 2, i + 1);
    REQUIRE(mesh.disk().write("counted.libsvm", counted));
    REQUIRE(
        mesh.disk().write("train.csv", testing::csv_text(testing::random_dense(7, 500, 20, 3))));
  }

  answer create_checkpoint() {
    const mesh::service_id client{mesh::service_kind::client, 0};
    auto& router = *mesh.node_at(0).context()->router;
    answer got;
    router.bind(client, [&](const mesh::frame_ptr& f) {
      if (auto created = mesh::message<schema::CheckpointCreated>::decode(f);
          f->header.kind == mesh::message_traits<schema::CheckpointCreated>::kind)
        got.created = *created;
      if (f->header.kind == mesh::message_traits<schema::Refusal>::kind)
        got.refusal = mesh::to_error(**mesh::message<schema::Refusal>::decode(f));
      return result<void>();
    });
    const mesh::draft<schema::CreateCheckpoint> request;
    REQUIRE(router.send(router.local({mesh::service_kind::coordinator, 0}), client, request));
    REQUIRE(mesh.run_until([&] { return got.created || got.refusal; }, 10s));
    router.unbind(client);
    return got;
  }
  /// In the middle of training; the step that it is of.
  std::uint64_t checkpoint_under_way(std::size_t messages) {
    REQUIRE(
        mesh.run_until([&] { return mesh.outcome().phase == schema::JobPhase::TRAINING; }, 1min));
    mesh.handle(messages);
    const auto got = create_checkpoint();
    REQUIRE_MESSAGE(got.created, got.refusal.text);
    const auto step = (**got.created).getStep();
    INFO("step " << step);
    CHECK(step > 0);
    CHECK(step < (**got.created).getSteps());
    return step;
  }
  std::string finish() {
    const auto outcome = mesh.finish();
    REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text << mesh.refusal().text);
    return outcome.parameters_sha256;
  }
  void end_job() {
    mesh.cancel((**mesh.outcome().update).getJobId());
    REQUIRE(mesh.finish().phase == schema::JobPhase::CANCELLED);
  }
  std::vector<std::string> checkpoint_files() {
    std::vector<std::string> names;
    const auto numbers = mesh.disk().list_folders(folder);
    REQUIRE(numbers);
    for (const auto& number : *numbers) {
      const auto path = std::string(folder) + "/" + number;
      const auto files = mesh.disk().list(path);
      REQUIRE(files);
      for (const auto& file : *files)
        names.push_back(path + "/" + file.name);
    }
    return names;
  }
  void take_checkpoints_of(bench& other) {
    for (const auto& path : other.checkpoint_files()) {
      REQUIRE(mesh.disk().create_directories(path.substr(0, path.rfind('/'))));
      const auto bytes = other.mesh.disk().read(path, file_bytes_max);
      REQUIRE(bytes);
      REQUIRE(mesh.disk().write(path, *bytes));
    }
  }

  virtual_mesh mesh;
};

std::string with_checkpoints(const test_job& job, const std::string& more = {}) {
  return job.text() + "[checkpoint]\nfolder = " + folder + "\n" + more;
}

test_job sparse_job() {
  return {.epochs = 4, .features = 300, .classes = 4, .optimizer = "adam", .learning_rate = 0.01};
}

test_job dense_job(const std::string& optimizer) {
  return {.epochs = 6,
          .batch_size = 32,
          .format = "csv",
          .train = "train.csv",
          .test = "",
          .features = 20,
          .classes = 3,
          .model = "mlp",
          .hidden = "16,8",
          .optimizer = optimizer,
          .learning_rate = 0.01};
}

/// The parameters of a job that nothing happens to.
std::string undisturbed(const test_job& job) {
  bench b(2, 2);
  b.mesh.submit(job.text());
  return b.finish();
}

/// How often each example was applied; the sum over all, and the greatest distance from `epochs`.
double worst_count(bench& b, double epochs) {
  const auto model = b.mesh.read_model("model.gmm");
  const auto& table = model.sparse.at(0);
  double worst = table.keys.size() == counted_examples ? 0 : epochs;
  for (std::size_t r = 0; r < table.keys.size(); ++r) {
    const auto label = table.keys[r] % 2;
    const auto count = table.rows[2 * r + label] / (counted_rate * 0.5 / 64);
    worst = std::max(worst, std::abs(count - epochs));
  }
  return worst;
}

test_job counting_job(const std::string& strategy) {
  return {.strategy = strategy,
          .deterministic = "false",
          .epochs = 3,
          .train = "counted.libsvm",
          .test = "",
          .features = counted_examples,
          .classes = 2,
          .learning_rate = counted_rate};
}

} // namespace

TEST_CASE("a job goes on from a checkpoint with the bits of an undisturbed run, on any mesh") {
  struct size {
    std::size_t servers, workers;
  };
  for (const auto& job : {sparse_job(), dense_job("adam"), dense_job("momentum")}) {
    CAPTURE(job.optimizer + " " + job.model);
    const auto wanted = undisturbed(job);
    bench first(2, 2);
    first.mesh.submit(with_checkpoints(job));
    const auto step = first.checkpoint_under_way(300);
    CHECK(first.finish() == wanted);
    for (const auto& to : {size{2, 2}, size{1, 1}, size{3, 4}, size{5, 2}}) {
      CAPTURE(to.servers);
      bench next(to.servers, to.workers);
      next.take_checkpoints_of(first);
      next.mesh.submit(with_checkpoints(job), 10s, {folder, 0});
      REQUIRE(next.mesh.run_until(
          [&] { return next.mesh.outcome().phase == schema::JobPhase::TRAINING; }, 1min));
      CHECK(next.mesh.outcome().examples_done >= step * job.batch_size * 9 / 10);
      CHECK(next.finish() == wanted);
    }
  }
}

TEST_CASE("a job of snapshots goes on in the middle of its epochs") {
  auto job = dense_job("sgd");
  job.svrg_epochs = 1;
  const auto wanted = undisturbed(job);
  for (const std::size_t messages : {100, 400, 700}) {
    CAPTURE(messages);
    bench first(2, 2);
    first.mesh.submit(with_checkpoints(job));
    (void)first.checkpoint_under_way(messages);
    first.end_job();
    bench next(3, 1);
    next.take_checkpoints_of(first);
    next.mesh.submit(with_checkpoints(job), 10s, {folder, 0});
    CHECK(next.finish() == wanted);
  }
}

TEST_CASE(
    "no push is lost or doubled by a checkpoint, whatever the strategy and the mesh after it") {
  for (const std::string strategy : {"async", "ssp", "bounded-delay", "bsp"})
    for (const std::size_t messages : {200, 333, 600}) {
      CAPTURE(strategy);
      CAPTURE(messages);
      const auto job = counting_job(strategy);
      bench first(3, 4); // a step of 64 in equal parts
      first.mesh.submit(with_checkpoints(job));
      (void)first.checkpoint_under_way(messages);
      (void)first.finish();
      CHECK(worst_count(first, 3) < 0.01);
      for (const std::size_t servers : {3, 2}) {
        CAPTURE(servers);
        bench next(servers, 2);
        next.take_checkpoints_of(first);
        next.mesh.submit(with_checkpoints(job), 10s, {folder, 0});
        (void)next.finish();
        CHECK(worst_count(next, 3) < 0.01);
      }
    }
}

TEST_CASE("a job needs no file to go on from its checkpoint") {
  const auto job = sparse_job();
  bench b(2, 2);
  b.mesh.submit(with_checkpoints(job));
  (void)b.checkpoint_under_way(300);
  b.end_job();
  b.mesh.submit("", 10s, {folder, 0});
  CHECK(b.finish() == undisturbed(job));
}

TEST_CASE("a damaged checkpoint is passed over for the one before, by name") {
  const auto job = sparse_job();
  std::string log;
  bench b(2, 2);
  b.mesh.submit(with_checkpoints(job));
  const auto step = b.checkpoint_under_way(200);
  b.mesh.handle(300);
  REQUIRE(b.create_checkpoint().created);
  b.end_job();
  auto bytes = b.mesh.disk().read("checkpoints/000002/shard-00001.chunks", file_bytes_max);
  REQUIRE(bytes);
  (*bytes)[bytes->size() / 2] ^= 1;
  REQUIRE(b.mesh.disk().write("checkpoints/000002/shard-00001.chunks", *bytes));
  SUBCASE("the newest is asked for") {
    b.mesh.submit("", 10s, {folder, 0});
    REQUIRE(b.mesh.run_until([&] { return b.mesh.outcome().phase == schema::JobPhase::TRAINING; },
                             1min));
    CHECK(b.mesh.outcome().text.find("checkpoint 000002") != std::string::npos);
    CHECK(b.mesh.outcome().text.find("shard-00001.chunks") != std::string::npos);
    CHECK(b.finish() == undisturbed(job));
    CHECK(step > 0);
  }
  SUBCASE("that one is asked for") {
    b.mesh.submit("", 10s, {folder, 2});
    const auto outcome = b.mesh.finish();
    CHECK(outcome.phase == schema::JobPhase::FAILED);
    CHECK(outcome.text.find("shard-00001.chunks") != std::string::npos);
  }
}

TEST_CASE("a checkpoint of another model is refused by what differs") {
  bench b(2, 2);
  b.mesh.submit(with_checkpoints(sparse_job()));
  (void)b.checkpoint_under_way(200);
  b.end_job();
  auto other = sparse_job();
  other.batch_size = 128;
  b.mesh.submit(with_checkpoints(other), 10s, {folder, 0});
  const auto outcome = b.mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CHECK(outcome.text.find("job.batch_size = 128") != std::string::npos);
}

TEST_CASE("a full disk stops checkpoints, not training, and is seen") {
  const auto job = sparse_job();
  bench b(2, 2);
  b.mesh.submit(with_checkpoints(job));
  (void)b.checkpoint_under_way(100);
  b.mesh.disk().set_space_left(100);
  const auto full = b.create_checkpoint();
  CHECK(full.refusal.text.find("No space left") != std::string::npos);
  b.mesh.run_until([&] { return !b.mesh.outcome().text.empty(); }, 1s);
  CHECK(b.mesh.outcome().text.find("no checkpoint was written") != std::string::npos);
  b.mesh.disk().set_space_left(~std::uint64_t{0});
  CHECK(b.create_checkpoint().created);
  CHECK(b.finish() == undisturbed(job));
  const store::checkpoint_store store(std::shared_ptr<env::disk>(&b.mesh.disk(), [](auto*) {}),
                                      folder);
  const auto good = store.latest_good(nullptr);
  REQUIRE(good);
  CHECK(good->passed_over.empty());
}

TEST_CASE("a folder with another job's checkpoints is not written to") {
  bench b(1, 1);
  b.mesh.submit(with_checkpoints(sparse_job()));
  (void)b.checkpoint_under_way(100);
  b.end_job();
  b.mesh.submit(with_checkpoints(sparse_job()));
  CHECK(b.mesh.refusal().text.find("has checkpoints already") != std::string::npos);
}

TEST_CASE("checkpoints are made by themselves, and the last few are kept") {
  auto job = sparse_job();
  job.epochs = 40;
  bench b(2, 2, "[emulation]\nstep_time_ms = 50\n");
  b.mesh.submit(with_checkpoints(job, "interval = 2\nkeep = 2\n"));
  (void)b.finish();
  const auto numbers = b.mesh.disk().list_folders(folder);
  REQUIRE(numbers);
  REQUIRE(!numbers->empty());
  CHECK(std::stoi(numbers->back()) >= 10);
}

TEST_CASE("a large checkpoint takes its time, and the job trains meanwhile") {
  auto job = dense_job("sgd");
  job.batch_size = 8;
  job.hidden = "60000,40";
  bench b(1, 1, "[emulation]\nstep_time_ms = 10\n");
  b.mesh.submit(with_checkpoints(job, "rate_mb_per_s = 20\n"));
  REQUIRE_MESSAGE(
      b.mesh.run_until([&] { return b.mesh.outcome().phase == schema::JobPhase::TRAINING; }, 1min),
      b.mesh.outcome().text << b.mesh.refusal().text);
  const auto got = b.create_checkpoint();
  REQUIRE_MESSAGE(got.created, got.refusal.text);
  const auto created = **got.created;
  constexpr double at_once = 9e6; // what a shard sends unasked, and the pace's credit
  CHECK(created.getBytes() > 1.3e7);
  CHECK(created.getSeconds() > (static_cast<double>(created.getBytes()) - at_once) / 20e6);
  CHECK(created.getHeldSeconds() < created.getSeconds() / 4);
  b.end_job();
}

TEST_CASE("a shard that is lost for good takes the job back to its checkpoint") {
  auto job = sparse_job();
  job.epochs = 20;
  const auto wanted = undisturbed(job);
  bench b(2, 2, "[emulation]\nstep_time_ms = 20\n");
  auto text = with_checkpoints(job);
  text.insert(text.find('\n') + 1, "replication = 1\nwait = 5\n");
  b.mesh.submit(text);
  SUBCASE("with one") {
    REQUIRE(b.mesh.run_until([&] { return b.mesh.outcome().examples_done >= 640; }, 1min));
    (void)b.checkpoint_under_way(0);
    b.mesh.cut(b.mesh.node_at(2));
    REQUIRE(b.mesh.run_until(
        [&] { return b.mesh.outcome().text.find("goes back") != std::string::npos; }, 1min));
    CHECK(b.finish() == wanted);
  }
  SUBCASE("without one it fails") {
    REQUIRE(b.mesh.run_until([&] { return b.mesh.outcome().phase == schema::JobPhase::TRAINING; },
                             1min));
    b.mesh.cut(b.mesh.node_at(2));
    CHECK(b.mesh.finish().phase == schema::JobPhase::FAILED);
  }
}

TEST_CASE("a job that goes back waits for the workers that it needs beside its backup workers") {
  auto job = counting_job("bsp");
  job.epochs = 20;
  job.backup_workers = 1;
  bench b(2, 2, "[emulation]\nstep_time_ms = 20\n");
  auto text = with_checkpoints(job);
  text.insert(text.find('\n') + 1, "replication = 1\nwait = 20\n");
  b.mesh.submit(text);
  REQUIRE_MESSAGE(b.mesh.run_until([&] { return b.mesh.outcome().examples_done >= 640; }, 1min),
                  b.mesh.outcome().text << b.mesh.refusal().text);
  (void)b.checkpoint_under_way(0);
  b.mesh.cut(b.mesh.node_at(4)); // a worker
  b.mesh.cut(b.mesh.node_at(2)); // a server
  const auto waits = [&] {
    return b.mesh.outcome().text.find("1 more worker(s)") != std::string::npos;
  };
  REQUIRE_MESSAGE(b.mesh.run_until(waits, 1min), b.mesh.outcome().text);
  b.mesh.run_until([] { return false; }, 8s); // longer than for what it could do without
  CHECK_MESSAGE(waits(), b.mesh.outcome().text);
  b.mesh.add_node(virtual_mesh::node_file("worker", 2));
  (void)b.finish();
}
