/// `gradmesh chaos` and the restarting of processes, as a user meets them.

#include "tests/support/process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace gradmesh;
using namespace std::chrono_literals;
using testing::process;

namespace {

constexpr auto patience = 120s; // under sanitizers and load; nothing waits for it when all is well
constexpr int examples = 2048;
/// A node is given up after eight heartbeats; on a machine that is busy otherwise a second is short.
const std::vector<std::string> unhurried{"--heartbeat-ms", "1000"};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The shipped counting job in a folder of its own, shortened.
struct workplace {
  workplace()
      : folder(std::filesystem::temp_directory_path() /
               ("gradmesh-chaos-" + std::to_string(getpid()) + "-" + std::to_string(count++))) {
    std::filesystem::create_directories(folder);
  }
  ~workplace() { std::filesystem::remove_all(folder); }

  std::string path(const std::string& name) const { return (folder / name).string(); }

  std::vector<std::string> command(const std::string& verb, std::vector<std::string> more) const {
    std::vector<std::string> arguments{GRADMESH_PROGRAM,
                                       verb,
                                       "config/chaos.ini",
                                       "--set",
                                       "mesh.log_dir=" + path("logs"),
                                       "--set",
                                       "data.train=" + path("counting.libsvm"),
                                       "--set",
                                       "data.features=" + std::to_string(examples),
                                       "--set",
                                       "job.epochs=2"};
    if (verb == "chaos") arguments.insert(arguments.end(), unhurried.begin(), unhurried.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// A run that goes on until something ends it.
  process endless_run(std::vector<std::string> more = {}) const {
    std::ofstream data(path("counting.libsvm"));
    for (int i = 0; i < examples; ++i)
      data << i % 2 << ' ' << i + 1 << ":1\n";
    data.close();
    more.insert(more.end(),
                {"--set", "job.epochs=200", "--set", "job.model_file=" + path("model.gmm")});
    return process(command("run", more));
  }

  std::filesystem::path folder;
  static inline int count = 0;
};

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

/// The process that runs a node of the run, by its file; 0 if there is none.
pid_t process_of(const process& run, const std::string& node) {
  for (const auto pid : testing::children_of(run.pid())) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (contains(line, "/" + node + ".ini")) return pid;
  }
  return 0;
}

} // namespace

TEST_CASE("a chaos run without faults passes, and counts each example once an epoch") {
  const workplace here;
  process chaos(here.command("chaos", {"--faults", "0"}));
  REQUIRE_MESSAGE(chaos.wait_end(patience) == 0, chaos.all());
  CHECK(contains(chaos.out(), "counting model: 2048 examples, 0 lost, 0 doubled\n"));
  CHECK(last_line(chaos.out()) == "verdict: PASS: 0 fault(s), 0 violation(s)");
}

TEST_CASE("through the proxy, and with another strategy, examples count as well") {
  const workplace here;
  process chaos(
      here.command("chaos", {"--faults", "0", "--kinds", "partition", "--set", "job.strategy=async",
                             "--set", "job.deterministic=false", "-o", "json"}));
  REQUIRE_MESSAGE(chaos.wait_end(patience) == 0, chaos.all());
  const auto report = nlohmann::json::parse(chaos.out());
  CHECK(report["verdict"] == "PASS");
  REQUIRE(report["counts"].size() == 1);
  CHECK(report["counts"][0]["lost"] == 0);
  CHECK(report["counts"][0]["doubled"] == 0);
}

TEST_CASE("a chaos run's verdict is its exit status") {
  const workplace here;
  process chaos(here.command(
      "chaos", {"--faults", "1", "--kinds", "kill", "--interval", "0.2", "--recovery-limit", "10",
                "--set", "emulation.step_time_ms=20", "--set", "job.epochs=8", "-o", "json"}));
  const auto status = chaos.wait_end(patience);
  CAPTURE(chaos.all());
  const auto report = nlohmann::json::parse(chaos.out(), nullptr, false);
  REQUIRE(report.is_object());
  REQUIRE(report["faults"].size() == 1);
  CHECK(report["faults"][0]["kind"] == "kill");
  CHECK(report["restarts"] >= 1);
  CHECK(report["undisturbed_sha256"].get<std::string>().size() == 64);
  CHECK((report["verdict"] == "PASS") == (status == 0));
  if (status != 0) {
    CHECK(status == 1);
    CHECK(!(report["failure"].is_null() && report["violations"].empty()));
  }
}

TEST_CASE("Ctrl-C ends a chaos run and all its processes, those that are stopped too") {
  const workplace here;
  process chaos(here.command("chaos", {"--faults", "1000", "--kinds", "stop", "--interval", "0",
                                       "--longest", "100", "--set", "job.epochs=200", "--set",
                                       "job.deterministic=false"})); // no run without faults first
  REQUIRE_MESSAGE(chaos.wait_for(": stop for ", patience), chaos.all());
  const auto nodes = testing::children_of(chaos.pid());
  CHECK(nodes.size() == 6);
  chaos.signal(SIGINT);
  CHECK(chaos.wait_end(patience) == 130);
  CHECK(contains(last_line(chaos.out()), "verdict: INTERRUPTED"));
  CHECK(testing::all_end(nodes, patience));
}

TEST_CASE("a process that is killed is started again, with its name, file and log") {
  const workplace here;
  auto run = here.endless_run();
  REQUIRE_MESSAGE(run.wait_for("training", patience), run.all());
  const auto pid = process_of(run, "worker-1");
  REQUIRE(pid != 0);
  kill(pid, SIGKILL);
  CHECK(run.wait_for("node 'worker-1' (process " + std::to_string(pid) +
                         ") ended: killed by signal 9 (Killed); node 'worker-1' started again as "
                         "process ",
                     patience));
  run.signal(SIGTERM);
  const auto status = run.wait_end(patience);
  // Today's job ends with the node; a job that survives is ended by the signal.
  CHECK_MESSAGE((status == 130 || status == 1), run.all());
}

TEST_CASE("a process that was told to end is not started again") {
  const workplace here;
  auto run = here.endless_run();
  REQUIRE_MESSAGE(run.wait_for("training", patience), run.all());
  const auto pid = process_of(run, "worker-1");
  REQUIRE(pid != 0);
  kill(pid, SIGTERM);
  CHECK(run.wait_for("it was told to, and is not started again", patience));
  CHECK_FALSE(contains(run.all(), "started again as process"));
}

TEST_CASE("without restarts a dead process stays dead, and that is said") {
  const workplace here;
  auto run = here.endless_run({"--set", "mesh.restarts=0"});
  REQUIRE_MESSAGE(run.wait_for("training", patience), run.all());
  kill(process_of(run, "worker-0"), SIGKILL);
  CHECK(run.wait_for("mesh.restarts = 0: it stays dead", patience));
}

TEST_CASE("a launcher that is killed leaves no process behind, not even one that is stopped") {
  const workplace here;
  auto run = here.endless_run();
  REQUIRE_MESSAGE(run.wait_for("training", patience), run.all());
  const auto nodes = testing::children_of(run.pid());
  kill(nodes.front(), SIGSTOP);
  run.signal(SIGKILL);
  CHECK(run.wait_end(patience) == 128 + SIGKILL);
  CHECK(testing::all_end(nodes, patience));
}

TEST_CASE("two nodes cannot use one state folder at once") {
  const workplace here;
  const auto file = here.path("coordinator.ini");
  std::ofstream(file) << "[node]\nroles = coordinator\nlisten = 127.0.0.1:0\nstate_folder = " +
                             here.path("state") + "\n";
  {
    process first({GRADMESH_PROGRAM, "node", file});
    REQUIRE_MESSAGE(first.wait_for("listening on ", patience), first.all());
    process second({GRADMESH_PROGRAM, "node", file});
    CHECK(second.wait_end(patience) == 7);
    CHECK_MESSAGE(contains(second.err(), "node.state_folder: folder '" + here.path("state") +
                                             "' is in use by another process (process " +
                                             std::to_string(first.pid()) + ")"),
                  second.err());
  }
  process third({GRADMESH_PROGRAM, "node", file});
  CHECK_MESSAGE(third.wait_for("listening on ", patience), third.all());
  std::ifstream identity(here.path("state/identity"));
  const std::string text((std::istreambuf_iterator<char>(identity)), {});
  CHECK_MESSAGE(contains(text, "incarnation 2\n"), text);
}

TEST_CASE("wrong options of a chaos run are said, with exit status 2") {
  const auto code = [](std::vector<std::string> more) {
    std::vector<std::string> arguments{GRADMESH_PROGRAM, "chaos", "config/chaos.ini"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    process p(arguments);
    return p.wait_end(patience);
  };
  CHECK(code({"--kinds", "flood"}) == 2);
  CHECK(code({"--interval", "-1"}) == 2);
  CHECK(code({"--longest", "0.01"}) == 2);
  CHECK(code({"--heartbeat-ms", "1"}) == 2);
  CHECK(code({"-o", "csv"}) == 2);
  CHECK(code({"--set", "mesh.listen=[::1]:0"}) == 2);
  CHECK(code({"--set", "job.batch_size=32"}) == 3);
}
