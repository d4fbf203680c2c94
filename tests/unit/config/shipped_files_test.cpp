#include "config/ini_file.hpp"
#include "config/job_config.hpp"
#include "config/node_config.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

TEST_CASE("the shipped node files are the generated samples and load") {
  for (const auto& entry : names_of(role{})) {
    const auto path = "config/" + std::string(entry.name) + ".ini";
    CAPTURE(path);
    const auto shipped = read_ini(path);
    REQUIRE(shipped);
    // Differs? Write the new one with `gradmesh config sample`.
    CHECK(*shipped == sample_node(entry.value));
    const auto node = load_node(path);
    CAPTURE(to_string(node.diagnostics));
    REQUIRE(node);
    CHECK(node.value->node.roles == std::vector<role>{entry.value});
  }
}

TEST_CASE("the shipped nodes find each other") {
  const auto coordinator = load_node("config/coordinator.ini");
  REQUIRE(coordinator);
  CHECK(coordinator.value->node.listen == endpoint{"127.0.0.1", 7700});
  std::vector<endpoint> listening{*coordinator.value->node.listen};
  for (const std::string name : {"server", "worker", "data-server"}) {
    const auto node = load_node("config/" + name + ".ini");
    REQUIRE(node);
    CHECK(node.value->node.coordinator == coordinator.value->node.listen);
    if (node.value->node.listen) listening.push_back(*node.value->node.listen);
  }
  CHECK(listening ==
        std::vector<endpoint>{{"127.0.0.1", 7700}, {"127.0.0.1", 7710}, {"127.0.0.1", 7720}});
}

TEST_CASE("the quickstart trains a softmax on the package lists") {
  const auto job = load_job("config/quickstart.ini");
  CAPTURE(to_string(job.diagnostics));
  REQUIRE(job);
  CHECK(job.value->job.name == "quickstart");
  CHECK(job.value->data.format == data_format::debian_packages);
  CHECK(job.value->model.type == model_kind::softmax);
  CHECK(job.value->mesh.servers == 2);
  CHECK(job.value->mesh.workers == 2);
  CHECK(job.value->mesh.data_servers == 1);
}

TEST_CASE("the mnist job trains an mlp on the idx files") {
  const auto job = load_job("config/mnist.ini");
  CAPTURE(to_string(job.diagnostics));
  REQUIRE(job);
  CHECK(job.value->data.format == data_format::idx);
  CHECK(job.value->data.test_last == 2000);
  CHECK(job.value->data.scale == doctest::Approx(1.0 / 255));
  CHECK(job.value->model.type == model_kind::mlp);
  CHECK(job.value->model.hidden == std::vector<std::uint32_t>{256, 128});
}
