#include "tests/support/virtual_mesh.hpp"

#include "actors/env/random.hpp"
#include "actors/store/model_file.hpp"
#include "config/node_config.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <doctest/doctest.h>

#include <cstring>

namespace gradmesh::testing {
namespace {

constexpr const char* coordinator_at = "127.0.0.1:7700";
constexpr mesh::service_id client_service{mesh::service_kind::client, 0};
constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};
constexpr std::chrono::milliseconds time_step{10};
/// Messages handled between two looks at what a test waits for.
constexpr std::size_t messages_between_looks = 200;

} // namespace

struct virtual_mesh::scheduler {
  scheduler() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    // Timers that are never triggered must not keep the test from ending.
    system->await_actors_before_shutdown(false);
  }
  caf::scheduler::test_coordinator& coordinator() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
};

virtual_mesh::virtual_mesh()
    : scheduler_(std::make_unique<scheduler>()), hub_(std::make_shared<env::memory_hub>()),
      disk_(std::make_shared<env::memory_disk>()) {
  REQUIRE(disk_->create_directories("."));
  const auto random = std::make_shared<env::random_stream>(1);
  environment_ = {.make_network =
                      [hub = hub_](env::network_options options) {
                        return std::shared_ptr<env::network>(
                            env::make_memory_network(hub, std::move(options)));
                      },
                  .disk = disk_,
                  .run_command =
                      [](const std::vector<std::string>&, std::uint64_t) {
                        return result<std::string>(errc::not_found, "no programs in a test");
                      },
                  .log = env::no_log(),
                  .entropy = [random] { return random->next(); },
                  .cache_folder = {},
                  .place = env::placement::scheduled};
}

virtual_mesh::~virtual_mesh() {
  if (client_network_) client_network_->stop(std::chrono::milliseconds(0));
  for (auto& running : nodes_)
    if (running.node) running.node->stop();
  settle();
}

node::node& virtual_mesh::add_node(const std::string& ini) {
  const auto loaded = config::parse_node(ini, "node.ini");
  REQUIRE_MESSAGE(loaded, to_string(loaded.diagnostics));
  auto end = std::make_shared<error>();
  auto started =
      node::node::start(*scheduler_->system, *loaded.value, environment_, [end](const error& why) {
        *end = why ? why : error{errc::cancelled, "told to end"};
      });
  REQUIRE_MESSAGE(started, started.failure().text);
  nodes_.push_back({std::move(*started), end});
  return *nodes_.back().node;
}

void virtual_mesh::add_roles(std::size_t servers, std::size_t workers, std::size_t data_servers,
                             const std::string& extra) {
  const auto ini = [&](const std::string& name, const std::string& role, int port) {
    return "[node]\nname = " + name + "\nroles = " + role + "\n" +
           (role == "coordinator" ? "" : std::string("coordinator = ") + coordinator_at + "\n") +
           (port == 0 ? "" : "listen = 127.0.0.1:" + std::to_string(port) + "\n") + extra;
  };
  add_node(ini("coordinator", "coordinator", 7700));
  const auto add = [&](const std::string& role, std::size_t count, int port) {
    for (std::size_t i = 0; i < count; ++i)
      add_node(
          ini(role + "-" + std::to_string(i), role, port == 0 ? 0 : port + static_cast<int>(i)));
  };
  add("server", servers, 7710);
  add("data-server", data_servers, 7750);
  add("worker", workers, 0);
  settle();
}

void virtual_mesh::stop_node(std::size_t index) {
  nodes_[index].node->stop();
}

void virtual_mesh::cut(const node::node& node) {
  hub_->cut(node.identity().uuid);
}

void virtual_mesh::settle() {
  scheduler_->coordinator().run();
}

void virtual_mesh::handle(std::size_t messages) {
  scheduler_->coordinator().run(messages);
}

bool virtual_mesh::run_until(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
  auto& coordinator = scheduler_->coordinator();
  for (auto passed = std::chrono::milliseconds(0); !holds();) {
    if (coordinator.run(messages_between_looks) > 0) continue;
    if (passed >= limit) return false;
    coordinator.advance_time(time_step);
    passed += time_step;
  }
  return true;
}

void virtual_mesh::start_client() {
  if (client_) return;
  mesh::node_identity identity{.uuid = {}, .incarnation = 1};
  const std::uint64_t half = environment_.entropy();
  std::memcpy(identity.uuid.data(), &half, sizeof half);
  env::network_options links;
  links.self = identity;
  links.node_name = "test";
  links.roles = {mesh::role::client};
  client_network_ = environment_.make_network(std::move(links));
  client_ = std::make_shared<mesh::router>(identity, client_network_);
  client_->bind(client_service, [this](const mesh::frame_ptr& f) { return on_client_frame(f); });
  auto started = client_->start({.up =
                                     [this](const env::peer& who) {
                                       coordinator_ = {who.identity.uuid, coordinator_service};
                                     },
                                 .down = [](const env::peer&, const error&) {},
                                 .connect_failed = [](const config::endpoint&, const error&) {}});
  REQUIRE(started);
  client_network_->connect({.host = "127.0.0.1", .port = 7700});
  REQUIRE(coordinator_.service.kind == mesh::service_kind::coordinator);
}

result<void> virtual_mesh::on_client_frame(const mesh::frame_ptr& f) {
  if (auto update = mesh::message<schema::JobUpdate>::decode(f)) {
    const auto in = **update;
    outcome_ = {.phase = in.getPhase(),
                .text = mesh::text(in.getText()),
                .failed_node = mesh::text(in.getFailedNode()),
                .parameters_sha256 = mesh::text(in.getParametersSha256()),
                .model_file = mesh::text(in.getModelFile()),
                .test_correct = in.getTestCorrect(),
                .test_done = in.getTestDone(),
                .strategy = mesh::text(in.getStrategy()),
                .examples_done = in.getExamplesDone(),
                .loss = in.getLoss()};
    for (const auto worker : in.getWorkers())
      outcome_.staleness_max = std::max(outcome_.staleness_max, worker.getStalenessMax());
  } else if (auto accepted = mesh::message<schema::JobAccepted>::decode(f)) {
    job_id_ = (**accepted).getJobId();
  } else if (auto changed = mesh::message<schema::JobChanged>::decode(f)) {
    changed_from_ = (**changed).getEpoch();
  } else if (auto refused = mesh::message<schema::Refusal>::decode(f)) {
    refusal_ = mesh::to_error(**refused);
  } else if (auto status = mesh::message<schema::Status>::decode(f)) {
    members_ = (**status).getMembers().size();
  }
  return {};
}

void virtual_mesh::submit(const std::string& job, std::chrono::seconds wait) {
  start_client();
  outcome_ = {};
  refusal_ = {};
  mesh::draft<schema::SubmitJob> submit;
  submit->setConfig(job);
  submit->setMinServers(1);
  submit->setMinWorkers(1);
  submit->setMinDataServers(1);
  submit->setWaitSeconds(static_cast<std::uint32_t>(wait.count()));
  job_id_ = 0;
  REQUIRE(client_->send(coordinator_, client_service, submit));
  REQUIRE(run_until([&] { return job_id_ != 0 || refusal_; }, std::chrono::seconds(1)));
}

void virtual_mesh::cancel(std::uint64_t job_id) {
  mesh::draft<schema::CancelJob> cancel;
  cancel->setJobId(job_id);
  REQUIRE(client_->send(coordinator_, client_service, cancel));
}

std::optional<std::uint32_t> virtual_mesh::change(const std::vector<std::string>& options) {
  mesh::draft<schema::ChangeJob> change;
  auto out = change->initOptions(static_cast<unsigned>(options.size()));
  for (unsigned i = 0; i < out.size(); ++i)
    out.set(i, options[i]);
  changed_from_.reset();
  refusal_ = {};
  REQUIRE(client_->send(coordinator_, client_service, change));
  REQUIRE(run_until([&] { return changed_from_ || refusal_; }, std::chrono::seconds(1)));
  return changed_from_;
}

job_outcome virtual_mesh::finish() {
  const bool ended = run_until([&] { return outcome_.ended(); }, std::chrono::minutes(10));
  CHECK_MESSAGE(ended, "the job has not ended after ten virtual minutes: " << outcome_.text);
  return outcome_;
}

void virtual_mesh::forget_client() {
  client_network_->stop(std::chrono::milliseconds(0));
  client_.reset();
  client_network_.reset();
  coordinator_ = {};
}

std::size_t virtual_mesh::members() {
  start_client();
  const mesh::draft<schema::StatusRequest> request;
  members_.reset();
  REQUIRE(client_->send(coordinator_, client_service, request));
  REQUIRE(run_until([&] { return members_.has_value(); }, std::chrono::seconds(1)));
  return *members_;
}

store::model_content virtual_mesh::read_model(const std::string& path) {
  const auto bytes = disk_->read(path, 1 << 30);
  REQUIRE_MESSAGE(bytes, bytes.failure().text);
  const auto model = store::read_model(std::as_bytes(std::span(*bytes)));
  REQUIRE_MESSAGE(model, model.failure().text);
  return *model;
}

} // namespace gradmesh::testing
