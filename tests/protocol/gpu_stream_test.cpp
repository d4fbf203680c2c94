/// Steps on a device in virtual time. The device is the backend with lanes (tests/gpu), which does
/// its work in an order drawn by chance, and can be lost.

#include "actors/gpu_stream/gpu_host.hpp"

#include "actors/worker/step_work.hpp"
#include "gpu/buffer.hpp"
#include "gpu/cpu_backend.hpp"
#include "tests/gpu/lane_backend.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

using namespace gradmesh;
using gpu_stream::place;
using gpu_stream::step_program;
using testing::test_job;
using testing::virtual_mesh;
using namespace std::chrono_literals;

namespace {

/// Adds up the step's number on the device; step 13 cannot be computed.
class adding_program final : public step_program {
public:
  explicit adding_program(std::unique_ptr<gpu::backend> backend)
      : backend_(std::move(backend)), memory_(*backend_) {}

  gpu::backend& backend() override { return *backend_; }
  result<void> begin(worker::step_work& work) override {
    if (work.step == 13) return {errc::invalid_argument, "13 is not for this program"};
    value_ = static_cast<float>(work.step);
    const auto sum = memory_.output({&result_, 1});
    backend_->fill(1, sum);
    backend_->scale(value_, sum);
    memory_.download({&result_, 1});
    return {};
  }
  result<void> end(worker::step_work& work) override {
    work.scale = result_;
    return {};
  }

private:
  std::unique_ptr<gpu::backend> backend_;
  gpu::buffer<float> memory_;
  float value_ = 0, result_ = 0;
};

struct stream_bench {
  stream_bench() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    system->await_actors_before_shutdown(false);
    client = system->spawn([this](compute_client::pointer) -> compute_client::behavior_type {
      return {[this](const compute_done& done) { back.push_back(done.work); }};
    });
    scheduler().run();
  }
  ~stream_bench() {
    for (const auto& actor : actors)
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    scheduler().run();
  }

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }
  void run_for(std::chrono::milliseconds time) {
    scheduler().run();
    for (; time > 0ms; time -= 50ms)
      scheduler().advance_time(50ms), scheduler().run();
  }

  gpu_stream_actor start_stream(std::unique_ptr<gpu::backend> device) {
    auto program = std::make_shared<std::unique_ptr<step_program>>(
        std::make_unique<adding_program>(std::move(device)));
    const auto stream = system->spawn(gpu_stream::gpu_stream, client, program,
                                      gpu_stream::stream_options{.waiting_max = 3});
    actors.push_back(caf::actor_cast<caf::actor>(stream));
    scheduler().run();
    return stream;
  }

  /// A host whose device is lost after so much work, each time it is opened; after the last it is
  /// gone.
  gpu_host_actor start_host(std::deque<std::uint64_t> lives) {
    const auto open = [lives = std::make_shared<std::deque<std::uint64_t>>(lives)](
                          place where) -> result<std::unique_ptr<step_program>> {
      if (where == place::cpu)
        return std::unique_ptr<step_program>(
            std::make_unique<adding_program>(gpu::make_cpu_backend()));
      if (lives->empty()) return error{errc::not_found, "no device any more"};
      const auto life = lives->front();
      lives->pop_front();
      return std::unique_ptr<step_program>(
          std::make_unique<adding_program>(gpu::make_lane_backend({.items_max = life})));
    };
    auto first = std::make_shared<std::unique_ptr<step_program>>(*open(place::device));
    const auto host = system->spawn(
        gpu_stream::gpu_host, client, first, gpu_stream::program_maker(open),
        gpu_stream::host_options{
            .device = "lanes:0",
            .stream = {},
            .place = env::placement::scheduled,
            .log = [this](env::severity, std::string_view line) { log.emplace_back(line); },
            .health = health});
    actors.push_back(caf::actor_cast<caf::actor>(host));
    scheduler().run();
    return host;
  }

  template <class Handle>
  void ask(const Handle& actor, std::uint64_t step) {
    auto work = std::make_shared<worker::step_work>();
    work->step = step;
    caf::anon_send(actor, compute_request{std::move(work)});
    scheduler().run();
  }

  std::vector<std::uint64_t> steps_back() const {
    std::vector<std::uint64_t> steps;
    for (const auto& work : back)
      steps.push_back(work->step);
    return steps;
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  compute_client client;
  std::vector<caf::actor> actors;
  std::vector<std::shared_ptr<worker::step_work>> back;
  std::vector<std::string> log;
  std::shared_ptr<gpu_stream::device_health> health = std::make_shared<gpu_stream::device_health>();
};

using steps = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("steps come back in order, when the device is done with them and not before") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({}));
  for (const std::uint64_t step : {5, 6, 7})
    bench.ask(stream, step);
  CHECK(bench.back.empty()); // nobody has looked at the device
  bench.run_for(5s);
  REQUIRE(bench.steps_back() == steps{5, 6, 7});
  for (const auto& work : bench.back) {
    CHECK_FALSE(work->failure);
    CHECK(work->scale == static_cast<float>(work->step));
  }
}

TEST_CASE("a step beyond those that may wait is handed back at once with the limit") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({}));
  for (const std::uint64_t step : {1, 2, 3, 4, 5})
    bench.ask(stream, step);
  REQUIRE(bench.steps_back() == steps{5}); // one runs, three wait
  CHECK(bench.back[0]->failure->code == errc::limit_exceeded);
  bench.run_for(5s);
  CHECK(bench.steps_back() == steps{5, 1, 2, 3, 4});
}

TEST_CASE("a step that cannot be computed comes back with its error and the next is computed") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_cpu_backend());
  bench.ask(stream, 13);
  bench.ask(stream, 14);
  bench.run_for(100ms);
  REQUIRE(bench.steps_back() == steps{13, 14});
  CHECK(bench.back[0]->failure->code == errc::invalid_argument);
  CHECK_FALSE(bench.back[1]->failure);
}

TEST_CASE("a lost device is started afresh and its steps are repeated, once each") {
  stream_bench bench;
  const auto host = bench.start_host({20, 1000});
  for (const std::uint64_t step : {1, 2, 3, 4})
    bench.ask(host, step);
  bench.run_for(10s);
  REQUIRE(bench.steps_back() == steps{1, 2, 3, 4});
  for (const auto& work : bench.back)
    CHECK(work->scale == static_cast<float>(work->step));
  CHECK(bench.health->fresh_starts == 1);
  CHECK_FALSE(bench.health->on_cpu);
  REQUIRE(bench.log.size() == 1);
  CHECK(bench.log[0].find("lanes:0 failed and was started afresh") != std::string::npos);
  CHECK(bench.log[0].find("as planned") != std::string::npos);
}

TEST_CASE("a device that cannot be opened again is replaced by the CPU, and the log says so") {
  stream_bench bench;
  const auto host = bench.start_host({20});
  for (const std::uint64_t step : {1, 2, 3, 4})
    bench.ask(host, step);
  bench.run_for(10s);
  CHECK(bench.steps_back() == steps{1, 2, 3, 4});
  CHECK(bench.health->on_cpu);
  REQUIRE(bench.log.size() == 1);
  CHECK(bench.log[0].find("goes on on its CPU") != std::string::npos);
  CHECK(bench.log[0].find("no device any more") != std::string::npos);
}

TEST_CASE("a device that fails again and again without a step between is given up") {
  stream_bench bench;
  const auto host = bench.start_host({3, 3, 3, 3, 3, 3, 3, 3});
  bench.ask(host, 1);
  bench.run_for(10s);
  CHECK(bench.steps_back() == steps{1});
  CHECK(bench.health->on_cpu);
  CHECK(bench.health->fresh_starts == 3);
}

TEST_CASE("a device that is never done with a step is taken for lost") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({.idle_works = false}));
  bool down = false;
  stream->attach_functor([&down](const caf::error& why) {
    down = to_string(why).find("not done with step 8 after 60 s") != std::string::npos;
  });
  bench.ask(stream, 8);
  bench.run_for(59s);
  CHECK_FALSE(down);
  bench.run_for(2s);
  CHECK(down);
  CHECK(bench.back.empty());
}

namespace {

struct mesh_run {
  std::string hash;
  std::size_t opened = 0;
  std::vector<std::string> log;
};

/// Trains on one worker, on a device that is opened by the test's rule or on the CPU.
mesh_run train(test_job job, std::function<std::unique_ptr<gpu::backend>(std::size_t)> open,
               const std::string& worker_lines = "") {
  mesh_run run;
  simulation::mesh_options options;
  options.log = [&run](env::severity, std::string_view line) { run.log.emplace_back(line); };
  if (open)
    options.open_device = [&](const gpu::cuda_options&) -> result<std::unique_ptr<gpu::backend>> {
      auto made = open(run.opened++);
      if (!made) return error{errc::not_found, "cuda:0: no device"};
      return made;
    };
  virtual_mesh mesh(options);
  mesh.add_roles(2, 1, 1, worker_lines);
  job.deterministic = "false";
  REQUIRE(mesh.disk().write("train.csv", testing::csv_text(testing::random_dense(77, 300, 20, 3))));
  REQUIRE(mesh.disk().write(
      "train.libsvm", testing::libsvm_text(testing::random_sparse(78, 300, 300, 4, 8, false))));
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  REQUIRE_MESSAGE(outcome.phase == schema::JobPhase::DONE, outcome.text << mesh.refusal().text);
  run.hash = outcome.parameters_sha256;
  return run;
}

std::vector<test_job> jobs() {
  const test_job sparse{.test = "", .features = 300, .classes = 4};
  const test_job dense{.format = "csv",
                       .train = "train.csv",
                       .test = "",
                       .features = 20,
                       .classes = 3,
                       .model = "mlp",
                       .hidden = "16,8"};
  return {sparse, dense};
}

std::unique_ptr<gpu::backend> lanes(std::size_t seed) {
  return gpu::make_lane_backend({.seed = seed});
}

} // namespace

TEST_CASE("a job trains on a device with the bits of its arithmetic, which here is the CPU's") {
  for (const auto& job : jobs()) {
    CAPTURE(job.model);
    const auto on_cpu = train(job, {});
    const auto on_device = train(job, lanes);
    CHECK(on_device.hash == on_cpu.hash);
    CHECK(on_device.opened == 2); // the trial when the node begins, and the job's
    CHECK(std::ranges::count(on_device.log, "computing on lanes") == 1);
  }
}

TEST_CASE("a device that is lost in mid-job costs no step and changes no bit") {
  for (const auto& job : jobs()) {
    CAPTURE(job.model);
    const auto on_cpu = train(job, {});
    const auto run = train(job, [](std::size_t n) {
      return n == 1 ? gpu::make_lane_backend({.items_max = 150}) : lanes(n);
    });
    CHECK(run.hash == on_cpu.hash);
    CHECK(run.opened == 3);
  }
}

TEST_CASE("a worker whose device is gone in mid-job ends the job on its CPU") {
  const auto job = jobs().back();
  const auto run = train(job, [](std::size_t n) -> std::unique_ptr<gpu::backend> {
    return n == 0 ? lanes(n) : n == 1 ? gpu::make_lane_backend({.items_max = 150}) : nullptr;
  });
  CHECK(run.hash == train(job, {}).hash);
  CHECK(std::ranges::any_of(run.log, [](const std::string& line) {
    return line.find("goes on on its CPU") != std::string::npos;
  }));
}

TEST_CASE("auto takes the CPU where there is no device, and cpu asks for none") {
  const auto job = jobs().back();
  const auto none = train(job, [](std::size_t) { return nullptr; });
  CHECK(none.opened == 1);
  CHECK(train(job, lanes, "[worker]\ndevice = cpu\n").opened == 0);
  CHECK(none.hash == train(job, {}).hash);
}

TEST_CASE("a node whose file names a device that is not there does not start, and says why") {
  simulation::mesh_options options;
  options.open_device = [](const gpu::cuda_options& o) -> result<std::unique_ptr<gpu::backend>> {
    return error{errc::not_found, "cuda:" + std::to_string(o.device) + ": no such device"};
  };
  simulation::virtual_mesh mesh(options);
  const auto node = mesh.add_node("[node]\nroles = worker\ncoordinator = 127.0.0.1:7700\n"
                                  "[worker]\ndevice = cuda:7\n");
  REQUIRE_FALSE(node);
  CHECK(node.failure().code == errc::not_found);
  CHECK(node.failure().text == "worker.device: cuda:7: no such device");
}

TEST_CASE("a model that does not fit on the device is refused before the job begins") {
  simulation::mesh_options options;
  options.open_device = [](const gpu::cuda_options& o) -> result<std::unique_ptr<gpu::backend>> {
    return gpu::make_lane_backend({.memory_bytes_max = o.memory_bytes_max});
  };
  virtual_mesh mesh(options);
  mesh.add_roles(1, 1, 1, "[worker]\ndevice_memory_limit_mib = 1\n");
  REQUIRE(mesh.disk().write("train.csv", testing::csv_text(testing::random_dense(77, 300, 20, 3))));
  auto job = jobs().back();
  job.hidden = "3000,3000";
  mesh.submit(job.text());
  const auto outcome = mesh.finish();
  CHECK(outcome.phase == schema::JobPhase::FAILED);
  CAPTURE(outcome.text);
  CHECK(outcome.text.find("the model takes 72 MiB on lanes for 64 examples a step, and 1 MiB are "
                          "free or allowed there") != std::string::npos);
}
