/// Steps on a device in virtual time. The device is the backend with lanes (tests/gpu), which does
/// its work in an order drawn by chance, and can be lost.

#include "actors/gpu_stream/gpu_host.hpp"

#include "actors/worker/step_work.hpp"
#include "gpu/buffer.hpp"
#include "gpu/cpu_backend.hpp"
#include "gpu/host_buffer.hpp"
#include "tests/gpu/lane_backend.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

using namespace gradmesh;
using gpu_stream::place;
using gpu_stream::step_program;
using namespace std::chrono_literals;

namespace {

/// Adds up the step's number on the device; step 13 cannot be computed. Notes what it is asked for:
/// "b1 e1" are the begin and the end of step 1, "a2" blocks of step 2 that come ahead.
class adding_program final : public step_program {
public:
  explicit adding_program(std::unique_ptr<gpu::backend> backend, std::size_t at_once = 1,
                          std::string* notes = nullptr)
      : backend_(std::move(backend)), at_once_(at_once), notes_(notes), memory_(*backend_),
        host_(*backend_) {}

  gpu::backend& backend() override { return *backend_; }
  std::size_t steps_at_once() const override { return at_once_; }
  void upload_ahead(const worker::step_work& work,
                    std::span<const learning::dense_version>) override {
    note("a", work);
  }
  result<void> begin(worker::step_work& work) override {
    note("b", work);
    if (work.step == 13) return {errc::invalid_argument, "13 is not for this program"};
    const auto result = host_.room(at_once_).subspan(begun_++ % at_once_, 1);
    const auto sum = memory_.output(result);
    backend_->fill(1, sum);
    backend_->scale(static_cast<float>(work.step), sum);
    memory_.download(result);
    return {};
  }
  result<void> end(worker::step_work& work) override {
    note("e", work);
    work.scale = host_.room(at_once_)[ended_++ % at_once_];
    return {};
  }

private:
  void note(const char* what, const worker::step_work& work) {
    if (notes_) *notes_ += what + std::to_string(work.step) + " ";
  }

  std::unique_ptr<gpu::backend> backend_;
  std::size_t at_once_;
  std::string* notes_;
  gpu::buffer<float> memory_;
  gpu::host_buffer<float> host_;
  std::size_t begun_ = 0, ended_ = 0;
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

  gpu_stream_actor start_stream(std::unique_ptr<gpu::backend> device, std::size_t at_once = 1) {
    auto program = std::make_shared<std::unique_ptr<step_program>>(
        std::make_unique<adding_program>(std::move(device), at_once, &notes));
    const auto stream =
        system->spawn(gpu_stream::gpu_stream, client, program,
                      gpu_stream::stream_options{.waiting_max = 3, .health = health});
    actors.push_back(caf::actor_cast<caf::actor>(stream));
    scheduler().run();
    return stream;
  }

  /// A host whose device is lost after so much work, each time it is opened; after the last it is
  /// gone.
  gpu_host_actor start_host(std::deque<std::uint64_t> lives, std::size_t at_once = 1) {
    const auto open = [at_once, lives = std::make_shared<std::deque<std::uint64_t>>(lives)](
                          place where) -> result<std::unique_ptr<step_program>> {
      if (where == place::cpu)
        return std::unique_ptr<step_program>(
            std::make_unique<adding_program>(gpu::make_cpu_backend()));
      if (lives->empty()) return error{errc::not_found, "no device any more"};
      const auto life = lives->front();
      lives->pop_front();
      return std::unique_ptr<step_program>(
          std::make_unique<adding_program>(gpu::make_lane_backend({.items_max = life}), at_once));
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
  std::string notes;
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

TEST_CASE("a second step is begun before the first has ended, and no third") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({}), 2);
  for (const std::uint64_t step : {1, 2, 3, 4})
    bench.ask(stream, step);
  CHECK(bench.notes == "b1 b2 ");
  bench.run_for(5s);
  CHECK(bench.notes == "b1 b2 e1 b3 e2 b4 e3 e4 ");
  REQUIRE(bench.steps_back() == steps{1, 2, 3, 4});
  for (const auto& work : bench.back)
    CHECK(work->scale == static_cast<float>(work->step));
  CHECK(bench.health->bytes_copied == 4 * sizeof(float));
}

TEST_CASE("a step that cannot be computed among others leaves them what is theirs") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({}), 2);
  for (const std::uint64_t step : {1, 13, 2, 3})
    bench.ask(stream, step);
  bench.run_for(5s);
  REQUIRE(bench.steps_back() == steps{1, 13, 2, 3});
  CHECK(bench.back[1]->failure->code == errc::invalid_argument);
  CHECK(bench.back[2]->scale == 2);
  CHECK(bench.back[3]->scale == 3);
}

TEST_CASE("parameters that come ahead are copied for the step that is begun next, for no other") {
  stream_bench bench;
  const auto stream = bench.start_stream(gpu::make_lane_backend({}), 2);
  const auto comes_ahead = [&](std::uint64_t step) {
    auto work = std::make_shared<worker::step_work>();
    work->step = step;
    caf::anon_send(stream, compute_ahead{work, {{0, 1, 1}}});
    bench.scheduler().run();
  };
  comes_ahead(1);
  CHECK(bench.notes == "a1 ");
  for (const std::uint64_t step : {1, 2, 3})
    bench.ask(stream, step);
  comes_ahead(4); // 3 waits to be begun
  CHECK(bench.notes == "a1 b1 b2 ");
  bench.run_for(5s);
  comes_ahead(4);
  CHECK(bench.notes == "a1 b1 b2 e1 b3 e2 e3 a4 ");
}

TEST_CASE("a device that is lost with two steps on it has both repeated, once each") {
  std::uint64_t fresh_starts = 0;
  for (std::uint64_t life = 4; life < 40; ++life) {
    CAPTURE(life);
    stream_bench bench;
    const auto host = bench.start_host({life, 1000}, 2);
    for (const std::uint64_t step : {1, 2, 3, 4})
      bench.ask(host, step);
    bench.run_for(10s);
    REQUIRE(bench.steps_back() == steps{1, 2, 3, 4});
    for (const auto& work : bench.back)
      CHECK(work->scale == static_cast<float>(work->step));
    CHECK(bench.health->fresh_starts <= 1);
    fresh_starts += bench.health->fresh_starts;
  }
  CHECK(fresh_starts > 20); // the others end their steps before
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
