/// The program as a user meets it: real processes, real sockets, real files. Whatever can be tested
/// in virtual time is in tests/protocol; here is what cannot.

#include "tests/support/job_files.hpp"
#include "tests/support/process.hpp"
#include "tests/support/random_data.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include <unistd.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::process;
using testing::test_job;

namespace {

constexpr auto patience = 60s; // under sanitizers and load; nothing waits for it when all is well

/// A folder of this test, with a job in it; gone when the test ends.
struct workplace {
  workplace()
      : folder(std::filesystem::temp_directory_path() /
               ("gradmesh-test-" + std::to_string(getpid()) + "-" + std::to_string(count++))) {
    std::filesystem::create_directories(folder);
    const auto data = testing::random_sparse(5, 2000, 200, 3, 6, true);
    write("train.libsvm", testing::libsvm_text(data));
    put_job({});
  }
  ~workplace() { std::filesystem::remove_all(folder); }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put_job(test_job job) const {
    job.train = path("train.libsvm");
    job.test = path("train.libsvm");
    write("job.ini", job.text());
  }
  /// Arguments of `gradmesh run` for the job, with everything it writes inside the folder.
  std::vector<std::string> run(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{GRADMESH_PROGRAM,
                                       "run",
                                       path("job.ini"),
                                       "--set",
                                       "mesh.log_dir=" + path("logs"),
                                       "--set",
                                       "job.model_file=" + path("model.gmm")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  std::filesystem::path folder;
  static inline int count = 0;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A run that goes on until something ends it, and its processes: coordinator, servers, data
/// server, workers, in the order in which they were started.
struct endless_run {
  endless_run() {
    here.put_job({.epochs = 100000});
    run.emplace(here.run());
    REQUIRE_MESSAGE(run->wait_for("training", patience), run->all());
    nodes = testing::children_of(run->pid());
    std::sort(nodes.begin(), nodes.end());
    REQUIRE(nodes.size() == 6);
  }

  const workplace here;
  std::optional<process> run;
  std::vector<pid_t> nodes;
};

nlohmann::json summary(const process& p) {
  return nlohmann::json::parse(p.out(), nullptr, false);
}

std::string node_file(const std::string& role, const std::string& coordinator,
                      const std::string& listen) {
  return "[node]\nname = " + role + "\nroles = " + role + "\n" +
         (coordinator.empty() ? "" : "coordinator = " + coordinator + "\n") +
         (listen.empty() ? "" : "listen = " + listen + "\n") + "join_timeout = 2\n";
}

/// "HOST:PORT" that a node says it listens at.
std::string listening_at(process& node) {
  if (!node.wait_for("listening on ", patience) || !node.wait_for("joined the mesh", patience))
    return {};
  const auto text = node.all();
  const auto begin = text.find("listening on ") + 13;
  return text.substr(begin, text.find('\n', begin) - begin);
}

} // namespace

TEST_CASE("processes and a single process train the same bits in deterministic bsp") {
  const workplace here;
  process separate(here.run({"-o", "json"}));
  REQUIRE_MESSAGE(separate.wait_end(patience) == 0, separate.all());
  process together(here.run({"-o", "json", "--in-process"}));
  REQUIRE_MESSAGE(together.wait_end(patience) == 0, together.all());
  CHECK(summary(separate)["parameters_sha256"].get<std::string>().size() == 64);
  CHECK(summary(separate)["parameters_sha256"] == summary(together)["parameters_sha256"]);
}

TEST_CASE("training over shared memory, TCP and TLS gives the same bits") {
  const workplace here;
  std::set<std::string> hashes;
  for (const std::string lane : {"shm", "tcp", "tls"}) {
    CAPTURE(lane);
    process run(here.run({"-o", "json", "--set", "mesh.lane=" + lane}));
    REQUIRE_MESSAGE(run.wait_end(patience) == 0, run.all());
    hashes.insert(summary(run)["parameters_sha256"].get<std::string>());
  }
  CHECK(hashes.size() == 1);
}

TEST_CASE("gradients and parameters that travel in fewer bits train as well") {
  const workplace here;
  process exact(here.run({"-o", "json"}));
  REQUIRE_MESSAGE(exact.wait_end(patience) == 0, exact.all());
  for (const std::string format : {"float16", "bfloat16", "int8"}) {
    CAPTURE(format);
    process run(here.run(
        {"-o", "json", "--set", "job.push_as=" + format, "--set", "job.pull_as=" + format}));
    REQUIRE_MESSAGE(run.wait_end(patience) == 0, run.all());
    CHECK(summary(run)["train_loss"].get<double>() ==
          doctest::Approx(summary(exact)["train_loss"].get<double>()).epsilon(0.05));
    CHECK(summary(run)["bytes_sent"].get<double>() < summary(exact)["bytes_sent"].get<double>());
  }
}

TEST_CASE("the report has what machines ask for") {
  const workplace here;
  process p(here.run({"--report", here.path("report.json")}));
  REQUIRE_MESSAGE(p.wait_end(patience) == 0, p.all());
  const auto report = nlohmann::json::parse(here.read("report.json"));
  for (const auto* key :
       {"job", "strategy", "servers", "workers", "data_servers", "epochs", "steps", "samples",
        "train_seconds", "samples_per_second", "train_loss", "test_loss", "test_accuracy", "pushes",
        "pulls", "bytes_sent", "bytes_received", "parameters_sha256"})
    CHECK_MESSAGE(report.contains(key), std::string(key));
  CHECK(report["samples"] == 2 * 2000);
  CHECK(report["workers"] == 2);
  CHECK(report["pushes"] == report["steps"].get<int>() * 2 * 2); // 2 workers to 2 shards
}

TEST_CASE("a saved model can be scored") {
  const workplace here;
  process run(here.run());
  REQUIRE_MESSAGE(run.wait_end(patience) == 0, run.all());
  process eval({GRADMESH_PROGRAM, "eval", here.path("model.gmm"), "--data",
                here.path("train.libsvm"), "-o", "json"});
  REQUIRE_MESSAGE(eval.wait_end(patience) == 0, eval.all());
  CHECK(summary(eval)["examples"] == 2000);
}

TEST_CASE("training goes on when a worker and then a server are killed") {
  endless_run training;
  auto& run = *training.run;
  const auto worker = training.nodes.back();
  const auto server = training.nodes[1];
  kill(worker, SIGKILL);
  CHECK_MESSAGE(run.wait_for("node 'worker-1' (process " + std::to_string(worker) +
                                 ") ended: killed by signal 9",
                             patience),
                run.all());
  CHECK_MESSAGE(run.wait_for("goes on from", patience), run.all());
  CHECK_MESSAGE(run.wait_for("with 2 worker(s)", patience), run.all());
  kill(server, SIGKILL);
  CHECK_MESSAGE(run.wait_for("(process " + std::to_string(server) + ") ended", patience),
                run.all());
  CHECK_FALSE_MESSAGE(run.wait_for("job failed", std::chrono::seconds(1)), run.all());
  run.signal(SIGINT);
  CHECK_MESSAGE(run.wait_end(patience) == 130, run.all());
  CHECK(testing::all_end(training.nodes, patience));
}

TEST_CASE("a run whose server or coordinator is killed has the bits of one that was left alone") {
  const workplace here;
  here.put_job({.epochs = 40});
  process alone(here.run({"-o", "json"}));
  REQUIRE_MESSAGE(alone.wait_end(patience) == 0, alone.all());
  constexpr std::size_t coordinator = 0;
  constexpr std::size_t server = 2;
  for (const auto killed : {coordinator, server}) {
    CAPTURE(killed);
    process disturbed(here.run({"-o", "json"}));
    REQUIRE_MESSAGE(disturbed.wait_for("training", patience), disturbed.all());
    auto nodes = testing::children_of(disturbed.pid());
    std::sort(nodes.begin(), nodes.end());
    kill(nodes[killed], SIGKILL);
    REQUIRE_MESSAGE(disturbed.wait_end(patience) == 0, disturbed.all());
    CHECK_MESSAGE(contains(disturbed.err(), "killed by signal 9"), disturbed.err());
    CHECK(summary(disturbed)["parameters_sha256"] == summary(alone)["parameters_sha256"]);
  }
}

TEST_CASE("a model file that could not be written is refused before the training") {
  const workplace here;
  process run(here.run({"--set", "job.model_file=" + here.path("absent/model.gmm")}));
  CHECK(run.wait_end(patience) == 6);
  CHECK_MESSAGE(contains(run.err(), "job.model_file"), run.err());
  CHECK_FALSE(contains(run.err(), "training"));
}

TEST_CASE("Ctrl-C ends a run and all its processes, whenever it comes") {
  const workplace here;
  here.put_job({.epochs = 100000});
  for (const std::string moment : {"mesh:", "training"}) {
    CAPTURE(moment);
    process run(here.run());
    REQUIRE_MESSAGE(run.wait_for(moment, patience), run.all());
    const auto nodes = testing::children_of(run.pid());
    run.signal(SIGINT);
    CHECK(run.wait_end(patience) == 130);
    CHECK(testing::all_end(nodes, patience));
  }
}

TEST_CASE("a run that is killed leaves no process behind") {
  endless_run training;
  training.run->signal(SIGKILL);
  CHECK(training.run->wait_end(patience) == 128 + SIGKILL);
  CHECK(testing::all_end(training.nodes, patience));
}

TEST_CASE(
    "a run that is killed goes on from its checkpoint, in other processes, to the same bits") {
  const workplace here;
  here.put_job({.epochs = 400});
  process whole(here.run({"-o", "json"}));
  REQUIRE_MESSAGE(whole.wait_end(patience) == 0, whole.all());

  const auto folder = "checkpoint.folder=" + here.path("checkpoints");
  process first(here.run({"--set", folder, "--set", "job.epochs=100000"}));
  REQUIRE_MESSAGE(first.wait_for("training", patience), first.all());
  const auto text = first.all();
  const auto begin = text.find("coordinator at ") + 15;
  const auto at = text.substr(begin, text.find(',', begin) - begin);
  const std::vector<std::string> create{GRADMESH_PROGRAM, "checkpoint", "create", "--coordinator",
                                        at};
  int created = 1;
  std::string said;
  // Workers may not have begun yet.
  for (int tries = 0; tries < 100 && created != 0; ++tries) {
    process attempt(create);
    created = attempt.wait_end(patience);
    said = attempt.all();
  }
  REQUIRE_MESSAGE(created == 0, said);
  CHECK_MESSAGE(contains(said, "checkpoint 1 of job 1 at step "), said);
  const auto nodes = testing::children_of(first.pid());
  first.signal(SIGKILL);
  CHECK(first.wait_end(patience) == 128 + SIGKILL);
  CHECK(testing::all_end(nodes, patience));

  process verify({GRADMESH_PROGRAM, "checkpoint", "verify", here.path("checkpoints")});
  CHECK_MESSAGE(verify.wait_end(patience) == 0, verify.all());
  process next(here.run({"--set", folder, "--resume", here.path("checkpoints"), "--set",
                         "mesh.servers=3", "--set", "mesh.workers=1", "-o", "json"}));
  REQUIRE_MESSAGE(next.wait_end(patience) == 0, next.all());
  CHECK(summary(next)["parameters_sha256"] == summary(whole)["parameters_sha256"]);
}

TEST_CASE("nodes started by hand form a mesh that takes jobs and shows itself") {
  const workplace here;
  here.write("coordinator.ini", node_file("coordinator", "", "127.0.0.1:0"));
  process coordinator({GRADMESH_PROGRAM, "node", here.path("coordinator.ini")});
  const auto at = listening_at(coordinator);
  REQUIRE_FALSE(at.empty());
  here.write("server.ini", node_file("server", at, "127.0.0.1:0"));
  here.write("data-server.ini", node_file("data-server", at, "127.0.0.1:0"));
  here.write("worker.ini", node_file("worker", at, ""));
  process server({GRADMESH_PROGRAM, "node", here.path("server.ini")});
  process data({GRADMESH_PROGRAM, "node", here.path("data-server.ini")});
  process worker({GRADMESH_PROGRAM, "node", here.path("worker.ini")});

  process submit({GRADMESH_PROGRAM, "submit", here.path("job.ini"), "--coordinator", at, "--set",
                  "job.model_file=" + here.path("model.gmm"), "-o", "json"});
  REQUIRE_MESSAGE(submit.wait_end(patience) == 0, submit.all());
  CHECK(summary(submit)["workers"] == 1);

  process status({GRADMESH_PROGRAM, "status", "--coordinator", at, "-o", "json"});
  REQUIRE_MESSAGE(status.wait_end(patience) == 0, status.all());
  for (const auto* name : {"coordinator", "server", "data-server", "worker"})
    CHECK_MESSAGE(contains(status.out(), "\"" + std::string(name) + "\""), status.out());

  const std::vector<std::string> cancel{GRADMESH_PROGRAM, "cancel", "--coordinator", at};
  process too_early(cancel);
  CHECK(too_early.wait_end(patience) == 7);
  CHECK_MESSAGE(contains(too_early.err(), "no job is running"), too_early.err());
  process endless({GRADMESH_PROGRAM, "submit", here.path("job.ini"), "--coordinator", at, "--set",
                   "job.epochs=100000", "-o", "json"});
  int cancelled = 1;
  for (int tries = 0; tries < 100 && cancelled != 0; ++tries)
    cancelled = process(cancel).wait_end(patience);
  CHECK(cancelled == 0);
  CHECK(endless.wait_end(patience) == 1);
  CHECK_MESSAGE(contains(endless.all(), "cancelled"), endless.all());

  worker.signal(SIGTERM);
  CHECK(worker.wait_end(patience) == 130);
}

TEST_CASE("a port in use is said, with the port") {
  const workplace here;
  here.write("coordinator.ini", node_file("coordinator", "", "127.0.0.1:0"));
  process first({GRADMESH_PROGRAM, "node", here.path("coordinator.ini")});
  const auto at = listening_at(first);
  REQUIRE_FALSE(at.empty());
  process second(
      {GRADMESH_PROGRAM, "node", here.path("coordinator.ini"), "--set", "node.listen=" + at});
  CHECK(second.wait_end(patience) == 1);
  CHECK_MESSAGE(contains(second.err(), at), second.err());
  CHECK(contains(second.err(), "in use"));
}

TEST_CASE("without a coordinator, nodes and clients end with exit code 4 and say whom they tried") {
  const workplace here;
  here.write("worker.ini", node_file("worker", "127.0.0.1:1", ""));
  process worker({GRADMESH_PROGRAM, "node", here.path("worker.ini")});
  CHECK(worker.wait_end(patience) == 4);
  CHECK_MESSAGE(contains(worker.err(), "no coordinator at 127.0.0.1:1 after 2 s"), worker.err());
  process status({GRADMESH_PROGRAM, "status", "--coordinator", "127.0.0.1:1"});
  CHECK(status.wait_end(patience) == 4);
  CHECK_MESSAGE(contains(status.err(), "127.0.0.1:1"), status.err());
}

TEST_CASE("wrong usage, configuration and files have exit codes of their own") {
  const workplace here;
  const auto code = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), GRADMESH_PROGRAM);
    process p(arguments);
    return p.wait_end(patience);
  };
  CHECK(code({}) == 2);
  CHECK(code({"fly"}) == 2);
  CHECK(code({"run"}) == 2);
  CHECK(code({"run", "--help"}) == 0);
  CHECK(code({"config", "sample"}) == 0);
  CHECK(code({"config", "dump", "--origin"}) == 0);
  CHECK(code({"config", "check", "config/quickstart.ini", "config/worker.ini"}) == 0);
  here.write("bad.ini", "[job]\nepochs = many\n");
  CHECK(code({"run", here.path("bad.ini")}) == 3);
  CHECK(code({"run", here.path("absent.ini")}) == 3);
  CHECK(code({"eval", here.path("absent.gmm"), "--data", here.path("train.libsvm")}) == 6);
}

TEST_CASE("a run on data that cannot be read ends with file and line") {
  const workplace here;
  here.write("train.libsvm", "1 1:1\n0 1:nan\n");
  process run(here.run());
  CHECK(run.wait_end(patience) == 1);
  CHECK_MESSAGE(contains(run.err(), "train.libsvm:2"), run.err());
}
