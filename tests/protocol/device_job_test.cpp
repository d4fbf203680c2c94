/// Jobs whose worker has a device, in virtual time. The device is the backend with lanes
/// (tests/gpu), which does its work in an order drawn by chance, and can be lost.

#include "tests/gpu/lane_backend.hpp"
#include "tests/support/job_files.hpp"
#include "tests/support/random_data.hpp"
#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace gradmesh;
using testing::test_job;
using testing::virtual_mesh;

namespace {

struct mesh_run {
  std::string hash;
  std::uint64_t examples = 0;
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
  run.examples = outcome.examples_done;
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

TEST_CASE("whatever kind of step it is, it goes to the device and may be repeated there") {
  const auto make = [](auto change) {
    auto job = jobs().back();
    change(job);
    return job;
  };
  const std::vector<test_job> all{make([](auto& job) { job.svrg_epochs = 2, job.epochs = 5; }),
                                  make([](auto& job) { job.push_as = "int8"; }),
                                  make([](auto& job) { job.test = "train.csv"; }),
                                  make([](auto& job) { job.deterministic = "true"; }),
                                  make([](auto& job) { job.strategy = "ssp"; }),
                                  jobs().front()};
  for (const auto& job : all) {
    CAPTURE(job.text());
    const auto on_cpu = train(job, {});
    for (const std::uint64_t life : {70, 300, 1000}) {
      CAPTURE(life);
      const auto run = train(job, [life](std::size_t n) {
        return n == 1 ? gpu::make_lane_backend({.items_max = life}) : lanes(n);
      });
      CHECK(run.hash == on_cpu.hash);
      CHECK(run.opened <= 3);
    }
  }
}

TEST_CASE("parameters go to the device from where they were received") {
  for (const auto& job : jobs()) {
    CAPTURE(job.model);
    const auto copies = std::make_shared<gpu::copy_use>();
    (void)train(job, [&](std::size_t) { return gpu::make_lane_backend({.copies = copies}); });
    CHECK(copies->in > 0);
    // A batch takes the detour: examples and labels, which came in a frame.
    const auto batch_bytes =
        job.model == "mlp" ? 2 * 300 * (20 + 1) * sizeof(float) : 2 * 300 * 24 * sizeof(float);
    CHECK(copies->detour > 0);
    CHECK(copies->detour <= batch_bytes);
  }
}

TEST_CASE("parameters that stand still are not copied to the device again") {
  auto job = jobs().back();
  job.test = "train.csv";
  const auto copies = std::make_shared<gpu::copy_use>();
  const auto run =
      train(job, [&](std::size_t) { return gpu::make_lane_backend({.copies = copies}); });
  // An evaluation of 300 examples is five batches on the same parameters; two sets of memory have
  // them after the first two.
  const std::uint64_t parameters = (21 * 16 + 17 * 8 + 9 * 3) * sizeof(float);
  CHECK(copies->spared >= 3 * parameters);
  CHECK(run.hash == train(job, {}).hash);
}

TEST_CASE("two steps of an asynchronous job are on the device at once") {
  for (const std::string strategy : {"async", "bounded-delay", "bsp"}) {
    CAPTURE(strategy);
    auto job = jobs().back();
    job.strategy = strategy;
    job.epochs = 4;
    const auto most = std::make_shared<std::size_t>(0);
    const auto run = train(job, [&](std::size_t n) {
      return gpu::make_lane_backend({.seed = n, .calls_waiting_max = most});
    });
    CHECK(run.examples == 4 * 300);
    CHECK(*most == (strategy == "bsp" ? 1 : 2));
  }
}

TEST_CASE("a device that is lost with two steps of a job on it costs no example") {
  for (const std::uint64_t life : {100, 150, 200, 400}) {
    CAPTURE(life);
    auto job = jobs().back();
    job.strategy = "async";
    const auto run = train(job, [life](std::size_t n) {
      return n == 1 ? gpu::make_lane_backend({.items_max = life}) : lanes(n);
    });
    CHECK(run.examples == 2 * 300);
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
  CHECK(outcome.text.find("on lanes the model takes 75 MiB, one step at a time, for 64 examples a "
                          "step, and 1 MiB are free or allowed there") != std::string::npos);
}

TEST_CASE("a job that takes twice the device's memory trains there with paged activations") {
  auto job = jobs().back();
  job.hidden = "256,256,256,256,256,256,256,256,256,256,256,256";
  job.batch_size = 300;
  const auto on_cpu = train(job, {});
  const auto plan_line = [](const mesh_run& run) {
    const auto line = std::ranges::find_if(run.log, [](const std::string& l) {
      return l.find("a step of 300 examples takes ") != std::string::npos;
    });
    REQUIRE(line != run.log.end());
    return *line;
  };
  for (const std::size_t mib : {32, 12, 10}) {
    CAPTURE(mib);
    const auto limit = mib << 20;
    const auto run = train(
        job, [&](std::size_t) { return gpu::make_lane_backend({.memory_bytes_max = limit}); });
    const auto line = plan_line(run);
    CAPTURE(line);
    CHECK(run.hash == on_cpu.hash);
    CHECK((line.find("paged to the host") != std::string::npos) == (mib == 10));
    CHECK((line.find("two steps at once") != std::string::npos) == (mib == 32));
  }
}
