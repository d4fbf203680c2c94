#include "tools/simulation/job_client.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::simulation {
namespace {

constexpr mesh::service_id client_service{mesh::service_kind::client, 0};
constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};

job_outcome outcome_of(schema::JobUpdate::Reader in) {
  job_outcome outcome{.phase = in.getPhase(),
                      .text = mesh::text(in.getText()),
                      .failed_node = mesh::text(in.getFailedNode()),
                      .parameters_sha256 = mesh::text(in.getParametersSha256()),
                      .model_file = mesh::text(in.getModelFile()),
                      .test_correct = in.getTestCorrect(),
                      .test_done = in.getTestDone(),
                      .strategy = mesh::text(in.getStrategy()),
                      .examples_done = in.getExamplesDone(),
                      .loss = in.getLoss(),
                      .update = {}};
  for (const auto worker : in.getWorkers())
    outcome.staleness_max = std::max(outcome.staleness_max, worker.getStalenessMax());
  return outcome;
}

} // namespace

job_client::job_client(const network_maker& make_network, const mesh::node_uuid& uuid) {
  const mesh::node_identity identity{.uuid = uuid, .incarnation = 1};
  env::network_options links;
  links.self = identity;
  links.node_name = "client";
  links.roles = {mesh::role::client};
  network_ = make_network(std::move(links));
  router_ = std::make_shared<mesh::router>(identity, network_);
  router_->bind(client_service, [this](const mesh::frame_ptr& f) { return on_frame(f); });
}

job_client::~job_client() {
  network_->stop(std::chrono::milliseconds(0));
}

result<void> job_client::start() {
  return router_->start({.up =
                             [this](const env::peer& who) {
                               dialling_ = false;
                               coordinator_ = {who.identity.uuid, coordinator_service};
                             },
                         .down =
                             [this](const env::peer&, const error& why) {
                               coordinator_.reset();
                               failure_ = why;
                             },
                         .connect_failed =
                             [this](const config::endpoint&, const error& why) {
                               dialling_ = false;
                               failure_ = why;
                             }});
}

void job_client::dial(const config::endpoint& coordinator) {
  failure_ = {};
  dialling_ = true;
  network_->connect(coordinator);
}

template <class T>
result<void> job_client::send(const mesh::draft<T>& request) {
  refusal_ = {};
  if (!coordinator_)
    return error{errc::unreachable, "the client has no link to the coordinator: " + failure_.text};
  const auto sent = router_->send(*coordinator_, client_service, request);
  return sent ? result<void>() : sent.failure();
}

result<void> job_client::submit(const std::string& job, std::chrono::seconds wait,
                                const job_members& least, const resume_point& from) {
  mesh::draft<schema::SubmitJob> submit;
  submit->setConfig(job);
  submit->setMinServers(least.servers);
  submit->setMinWorkers(least.workers);
  submit->setMinDataServers(least.data_servers);
  submit->setWaitSeconds(static_cast<std::uint32_t>(wait.count()));
  submit->setResumeFrom(from.folder);
  submit->setResumeNumber(from.number);
  forget();
  return send(submit);
}

void job_client::forget() {
  outcome_ = {};
  job_id_ = 0;
  refusal_ = {};
}

result<void> job_client::cancel(std::uint64_t job_id) {
  mesh::draft<schema::CancelJob> cancel;
  cancel->setJobId(job_id);
  return send(cancel);
}

result<void> job_client::change(const std::vector<std::string>& options) {
  mesh::draft<schema::ChangeJob> change;
  auto out = change->initOptions(static_cast<unsigned>(options.size()));
  for (unsigned i = 0; i < out.size(); ++i)
    out.set(i, options[i]);
  changed_from_.reset();
  return send(change);
}

result<void> job_client::ask_status() {
  members_.reset();
  return send(mesh::draft<schema::StatusRequest>());
}

result<void> job_client::create_checkpoint() {
  return send(mesh::draft<schema::CreateCheckpoint>());
}

result<void> job_client::on_frame(const mesh::frame_ptr& f) {
  if (auto update = mesh::message<schema::JobUpdate>::decode(f)) {
    outcome_ = outcome_of(**update);
    outcome_.update = *update;
  } else if (auto accepted = mesh::message<schema::JobAccepted>::decode(f)) {
    job_id_ = (**accepted).getJobId();
  } else if (auto changed = mesh::message<schema::JobChanged>::decode(f)) {
    changed_from_ = (**changed).getEpoch();
  } else if (auto created = mesh::message<schema::CheckpointCreated>::decode(f)) {
    checkpoint_ = (**created).getNumber();
  } else if (auto refused = mesh::message<schema::Refusal>::decode(f)) {
    refusal_ = mesh::to_error(**refused);
  } else if (auto status = mesh::message<schema::Status>::decode(f)) {
    members_ = (**status).getMembers().size();
    // What it missed while it had no link.
    if (const auto job = (**status).getJob(); job_id_ != 0 && job.getJobId() == job_id_) {
      auto known = std::move(outcome_.update);
      outcome_ = outcome_of(job);
      outcome_.update = std::move(known);
    }
  }
  return {};
}

} // namespace gradmesh::simulation
