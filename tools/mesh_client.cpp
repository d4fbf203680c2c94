#include "tools/mesh_client.hpp"

#include "actors/mesh/receive.hpp"

#include <algorithm>
#include <cstring>

namespace gradmesh::tools {
namespace {

constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};

std::string seconds(std::chrono::milliseconds limit) {
  const auto ms = limit.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

} // namespace

result<std::unique_ptr<mesh_client>> mesh_client::connect(const env::environment& environment,
                                                          const mesh_access& access) {
  const auto& coordinator = access.coordinator;
  const auto limit = access.limit;
  std::unique_ptr<mesh_client> client(new mesh_client);
  client->coordinator_at_ = coordinator;
  client->limit_ = limit;
  mesh::node_identity identity;
  const std::uint64_t halves[2] = {environment.entropy(), environment.entropy()};
  std::memcpy(identity.uuid.data(), halves, sizeof halves);
  identity.incarnation = 1;
  env::network_options links;
  links.self = identity;
  links.node_name = "client";
  links.cluster = access.cluster;
  links.roles = {mesh::role::client};
  if (access.tls) {
    auto made = env::tls_context::make(*access.tls, *environment.disk);
    if (!made) return made.failure();
    links.node_name = (*made)->own().node_name;
    links.tls = *made;
  }
  client->network_ = environment.make_network(std::move(links));
  client->router_ = std::make_shared<mesh::router>(identity, client->network_);
  client->router_->bind(service_,
                        [c = client.get()](const mesh::frame_ptr& f) { return c->on_frame(f); });
  const auto note = [c = client.get()](auto change) {
    const std::lock_guard lock(c->mutex_);
    change(*c);
    c->changed_.notify_all();
  };
  auto started = client->router_->start(
      {.up =
           [note](const env::peer& who) {
             note([&](mesh_client& c) {
               c.coordinator_ = {who.identity.uuid, coordinator_service};
               c.linked_ = true;
             });
           },
       .down =
           [note](const env::peer&, const error& why) {
             note([&](mesh_client& c) {
               c.broken_ =
                   error{errc::node_lost, "lost the link to the coordinator at " +
                                              to_string(c.coordinator_at_) + ": " + why.text};
             });
           },
       .connect_failed =
           [note](const config::endpoint&, const error& why) {
             note([&](mesh_client& c) {
               c.broken_ =
                   error{why.code, "no coordinator at " + to_string(c.coordinator_at_) + ": " +
                                       why.text + " --coordinator says where to look"};
             });
           }});
  if (!started) return started.failure();
  client->network_->connect(coordinator);

  std::unique_lock lock(client->mutex_);
  client->changed_.wait_for(lock, limit, [&] { return client->linked_ || client->broken_; });
  if (client->broken_) return *client->broken_;
  if (!client->linked_)
    return error{errc::timed_out, "the coordinator at " + to_string(coordinator) +
                                      " did not answer within " + seconds(limit) +
                                      "; --timeout gives it longer"};
  lock.unlock();
  return client;
}

result<void> mesh_client::relink(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  if (linked_ && !broken_) return {};
  broken_.reset();
  linked_ = false;
  answers_.clear();
  updates_.clear();
  lock.unlock();
  network_->connect(coordinator_at_);
  lock.lock();
  changed_.wait_until(lock, deadline, [&] { return linked_ || broken_; });
  if (linked_ && !broken_) return {};
  const auto why = broken_.value_or(error{
      errc::timed_out, "the coordinator at " + to_string(coordinator_at_) + " does not answer"});
  // A refusal comes at once; whoever asks again and again should not need to wait as well.
  changed_.wait_until(lock, deadline, [&] { return linked_; });
  return why;
}

mesh_client::~mesh_client() {
  // Whatever was sent last (a shutdown, a cancellation) should still arrive.
  if (network_) network_->stop(std::chrono::milliseconds(500));
}

result<void> mesh_client::on_frame(const mesh::frame_ptr& f) {
  const std::lock_guard lock(mutex_);
  if (f->header.kind == mesh::message_traits<schema::JobUpdate>::kind) {
    auto update = mesh::message<schema::JobUpdate>::decode(f);
    if (!update) return update.failure();
    updates_.push_back(std::move(*update));
  } else {
    answers_.push_back(f);
  }
  changed_.notify_all();
  return {};
}

result<mesh::frame_ptr> mesh_client::answer_to(const result<mesh::sent_message>& request,
                                               const char* what, std::chrono::milliseconds limit) {
  if (!request) return request.failure();
  std::unique_lock lock(mutex_);
  mesh::frame_ptr answer;
  changed_.wait_for(lock, limit, [&] {
    const auto found = std::find_if(answers_.begin(), answers_.end(), [&](const auto& f) {
      return f->header.in_reply_to == request->message_id;
    });
    if (found == answers_.end()) return broken_.has_value();
    answer = *found;
    answers_.erase(found);
    return true;
  });
  if (!answer && broken_) return *broken_;
  if (!answer)
    return error{errc::timed_out, "the coordinator at " + to_string(coordinator_at_) +
                                      " did not answer " + what + " within " + seconds(limit)};
  if (answer->header.kind == mesh::message_traits<schema::Refusal>::kind) {
    const auto refusal = mesh::message<schema::Refusal>::decode(answer);
    if (!refusal) return refusal.failure();
    error why;
    auto read = mesh::guarded([&] {
      why = mesh::to_error(**refusal);
      return result<void>();
    });
    if (!read) return read.failure();
    return why;
  }
  return answer;
}

result<std::uint64_t> mesh_client::submit(const submission& job) {
  mesh::draft<schema::SubmitJob> submit;
  submit->setConfig(job.config);
  submit->setMinServers(job.min_servers);
  submit->setMinWorkers(job.min_workers);
  submit->setMinDataServers(job.min_data_servers);
  submit->setWaitSeconds(static_cast<std::uint32_t>(job.wait.count()));
  submit->setResumeFrom(job.resume_from);
  submit->setResumeNumber(job.resume_number);
  auto answer = answer_to(router_->send(coordinator_, service_, submit), "the submission");
  if (!answer) return answer.failure();
  auto accepted = mesh::message<schema::JobAccepted>::decode(*answer);
  if (!accepted) return accepted.failure();
  return (**accepted).getJobId();
}

result<std::optional<mesh::message<schema::JobUpdate>>>
mesh_client::next_update(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return !updates_.empty() || broken_; });
  if (!updates_.empty()) {
    auto update = std::move(updates_.front());
    updates_.pop_front();
    return std::optional(std::move(update));
  }
  if (broken_) return *broken_;
  return std::optional<mesh::message<schema::JobUpdate>>();
}

result<job_change> mesh_client::change(const std::vector<std::string>& options) {
  mesh::draft<schema::ChangeJob> request;
  auto out = request->initOptions(static_cast<unsigned>(options.size()));
  for (unsigned i = 0; i < out.size(); ++i)
    out.set(i, options[i]);
  auto answer = answer_to(router_->send(coordinator_, service_, request), "the change");
  if (!answer) return answer.failure();
  auto changed = mesh::message<schema::JobChanged>::decode(*answer);
  if (!changed) return changed.failure();
  const auto in = **changed;
  return job_change{in.getJobId(), in.getStep(), in.getEpoch()};
}

result<std::uint32_t> mesh_client::drain(const std::string& node) {
  mesh::draft<schema::DrainNode> request;
  request->setNode(node);
  auto answer = answer_to(router_->send(coordinator_, service_, request), "the drain");
  if (!answer) return answer.failure();
  auto started = mesh::message<schema::DrainStarted>::decode(*answer);
  if (!started) return started.failure();
  return (**started).getReplicas();
}

result<mesh::message<schema::CheckpointCreated>>
mesh_client::create_checkpoint(std::chrono::seconds limit) {
  const mesh::draft<schema::CreateCheckpoint> request;
  auto answer =
      answer_to(router_->send(coordinator_, service_, request), "the checkpoint request", limit);
  if (!answer) return answer.failure();
  return mesh::message<schema::CheckpointCreated>::decode(*answer);
}

void mesh_client::cancel(std::uint64_t job_id) {
  mesh::draft<schema::CancelJob> cancel;
  cancel->setJobId(job_id);
  (void)router_->send(coordinator_, service_, cancel);
}

result<mesh::message<schema::Status>> mesh_client::status() {
  const mesh::draft<schema::StatusRequest> request;
  auto answer = answer_to(router_->send(coordinator_, service_, request), "the status request");
  if (!answer) return answer.failure();
  return mesh::message<schema::Status>::decode(*answer);
}

void mesh_client::shut_down(const std::string& reason) {
  mesh::draft<schema::Shutdown> shutdown;
  shutdown->setReason(reason);
  (void)router_->send(coordinator_, service_, shutdown);
}

} // namespace gradmesh::tools
