#include "tools/chaos/mesh_watch.hpp"

#include "actors/mesh/receive.hpp"
#include "tools/job_figures.hpp"

#include <algorithm>

namespace gradmesh::tools::chaos {
namespace {

/// The steps that a worker says it has done; nothing while it has no job.
std::optional<std::uint64_t> steps_of(schema::MemberStatus::Reader member) {
  for (const auto service : member.getLastHeartbeat().getServices()) {
    if (mesh::service_id::from_wire(service.getService()).kind != mesh::service_kind::worker)
      continue;
    for (const auto gauge : service.getGauges())
      if (mesh::text(gauge.getName()) == "steps_total")
        return static_cast<std::uint64_t>(gauge.getValue());
  }
  return std::nullopt;
}

mesh_view view_of(schema::Status::Reader status, time_point now) {
  mesh_view view;
  view.taken = now;
  for (const auto entry : status.getMembers()) {
    const auto member = entry.getMember();
    const auto name = shown(member.getName());
    view.members[name] = member.getIncarnation();
    if (const auto steps = steps_of(entry))
      view.workers.push_back({name, member.getIncarnation(), *steps,
                              now - std::chrono::milliseconds(entry.getHeartbeatAgeMs())});
  }
  const auto job = status.getJob();
  for (const auto shard : job.getLayout().getShards()) {
    const auto state = shard.getBackupState();
    view.shards.push_back(
        {shown(shard.getPrimary().getName()),
         state == schema::BackupState::NONE ? std::string() : shown(shard.getBackup().getName()),
         state == schema::BackupState::SYNCED});
  }
  view.job_id = job.getJobId();
  view.phase = job.getPhase();
  view.text = shown(job.getText());
  view.failed_node = shown(job.getFailedNode());
  view.sha256 = shown(job.getParametersSha256());
  return view;
}

} // namespace

bool mesh_view::has_only_copy(const std::string& node) const {
  return std::ranges::any_of(
      shards, [&](const shard_hosts& shard) { return shard.primary == node && !shard.synced; });
}

mesh_watch::mesh_watch(const env::environment& environment, mesh_access access)
    : environment_(environment), access_(std::move(access)) {}

result<mesh_client*> mesh_watch::linked() {
  if (!client_) {
    auto hasty = access_;
    hasty.limit = answer_limit;
    auto linked = mesh_client::connect(environment_, hasty);
    if (!linked) return linked.failure();
    client_ = std::move(*linked);
  }
  return client_.get();
}

result<mesh_view> mesh_watch::look() {
  const auto client = linked();
  if (!client) return client.failure();
  auto status = (*client)->status();
  const auto now = std::chrono::steady_clock::now();
  if (!status) {
    // A coordinator that hangs may answer later; a link that is broken stays so.
    if (status.failure().code != errc::timed_out) client_.reset();
    return status.failure();
  }
  mesh_view view;
  auto read = mesh::guarded([&] {
    view = view_of(**status, now);
    return result<void>();
  });
  if (!read) return read.failure();
  return view;
}

result<std::uint64_t> mesh_watch::submit(const submission& job) {
  const auto client = mesh_client::connect(environment_, access_);
  if (!client) return client.failure();
  return (*client)->submit(job);
}

void mesh_watch::shut_down(const std::string& reason) {
  if (const auto client = linked()) (*client)->shut_down(reason);
}

} // namespace gradmesh::tools::chaos
