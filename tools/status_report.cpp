#include "tools/status_report.hpp"

#include "actors/mesh/message.hpp"
#include "tools/job_figures.hpp"
#include "tools/job_json.hpp"

#include <cmath>
#include <optional>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;
using mesh::service_kind;

json number(double value) {
  return std::isfinite(value) ? json(value) : json();
}

/// Gauges travel as floats; a count is to be an integer again.
json gauge_number(double value) {
  constexpr double exact_max = 9007199254740992; // 2^53
  if (value >= 0 && value <= exact_max && value == std::floor(value))
    return static_cast<std::uint64_t>(value);
  return number(value);
}

json gauge(capnp::List<schema::Gauge>::Reader gauges, std::string_view name) {
  for (const auto entry : gauges)
    if (mesh::text(entry.getName()) == name) return gauge_number(entry.getValue());
  return {};
}

double seconds(std::uint64_t milliseconds) {
  return static_cast<double>(milliseconds) / 1000;
}

status_section nodes_of(schema::Status::Reader status) {
  status_section nodes{"node",
                       "nodes",
                       {{"NAME", "name"},
                        {"ROLES", "roles"},
                        {"ENDPOINT", "endpoint"},
                        {"PID", "process_id", show::integer, true},
                        {"VERSION", "version", show::text, true},
                        {"INCARNATION", "incarnation", show::integer, true},
                        {"MEMORY", "resident_bytes", show::bytes, false, true},
                        {"CPU", "cpu_seconds", show::seconds, false, true},
                        {"LINKS", "links", show::integer, true},
                        {"SENT", "bytes_sent_total", show::bytes, true, true},
                        {"RECEIVED", "bytes_received_total", show::bytes, true, true},
                        {"QUEUED", "queued_bytes", show::bytes, true, true},
                        {"RETRIES", "retry_later_total", show::integer, true},
                        {"REFUSED", "frames_refused_total", show::integer, true},
                        {"HEARTBEAT", "heartbeat_age_seconds", show::seconds, false, true}},
                       {}};
  for (const auto entry : status.getMembers()) {
    const auto member = entry.getMember();
    auto roles = json::array();
    for (const auto role : member.getRoles())
      roles.push_back(mesh::text(role));
    const auto endpoint = mesh::text(member.getEndpoint());
    const auto beat = entry.getLastHeartbeat();
    const auto gauges = beat.getGauges();
    nodes.rows.push_back(
        {mesh::text(member.getName()), std::move(roles), endpoint.empty() ? json() : json(endpoint),
         entry.getProcessId(), mesh::text(entry.getVersion()), member.getIncarnation(),
         entry.hasLastHeartbeat() ? json(beat.getResidentBytes()) : json(),
         entry.hasLastHeartbeat() ? number(beat.getCpuSeconds()) : json(), gauge(gauges, "links"),
         gauge(gauges, "bytes_sent_total"), gauge(gauges, "bytes_received_total"),
         gauge(gauges, "queued_bytes"), gauge(gauges, "retry_later_total"),
         gauge(gauges, "frames_refused_total"), seconds(entry.getHeartbeatAgeMs())});
  }
  return nodes;
}

/// What the node's last heartbeat says of a service; nothing before the first heartbeat.
std::optional<schema::ServiceStatus::Reader> find_status(schema::MemberStatus::Reader member,
                                                         std::uint32_t service) {
  for (const auto entry : member.getLastHeartbeat().getServices())
    if (entry.getService() == service) return entry;
  return std::nullopt;
}

/// The services of a kind: NAME, NODE, STATE, a column for each of `gauges`, HEARTBEAT.
status_section services_of(schema::Status::Reader status, service_kind wanted, const char* kind,
                           const char* title, const std::vector<status_column>& gauges) {
  status_section section{kind, title, {{"NAME", "name"}, {"STATE", "state"}}, {}};
  section.columns.insert(section.columns.end(), gauges.begin(), gauges.end());
  section.columns.push_back({"HEARTBEAT", "heartbeat_age_seconds", show::seconds, false, true});
  for (const auto entry : status.getMembers()) {
    const auto member = entry.getMember();
    for (const auto wire : member.getServices()) {
      const auto service = mesh::service_id::from_wire(wire);
      if (service.kind != wanted) continue;
      const auto found = find_status(entry, wire);
      auto& row = section.rows.emplace_back();
      row.push_back(mesh::text(member.getName()) + "/" + std::to_string(service.index));
      row.push_back(found ? json(mesh::text(found->getState())) : json());
      for (const auto& column : gauges)
        row.push_back(found ? gauge(found->getGauges(), column.key) : json());
      row.push_back(seconds(entry.getHeartbeatAgeMs()));
    }
  }
  return section;
}

status_section job_of(schema::JobUpdate::Reader job) {
  status_section section{"job",
                         "job",
                         {{"NAME", "job"},
                          {"PHASE", "phase"},
                          {"STRATEGY", "strategy"},
                          {"DONE", "done_fraction", show::percent},
                          {"LOSS", "train_loss", show::decimal},
                          {"EXAMPLES/S", "samples_per_second", show::integer},
                          {"ACCURACY", "test_accuracy", show::percent},
                          {"WORKERS", "workers", show::integer},
                          {"GENERATION", "generation", show::integer, true},
                          {"LAYOUT", "layout", show::integer, true},
                          {"AGE", "phase_seconds", show::seconds, false, true}},
                         {}};
  if (job.getPhase() == schema::JobPhase::NONE) return section;
  const auto progress = progress_of(job);
  section.rows.push_back({mesh::text(job.getName()), phase_name(job.getPhase()),
                          mesh::text(job.getStrategy()),
                          progress.total > 0 ? json(progress.fraction()) : json(),
                          number(job.getLoss()), number(std::round(examples_per_second(job))),
                          number(test_accuracy(job)), job.getWorkerCount(), job.getGeneration(),
                          job.getLayout().getNumber(), job.getPhaseSeconds()});
  return section;
}

/// Where the copies of the job's shards are.
status_section layout_of(schema::JobUpdate::Reader job) {
  status_section section{"replica",
                         "layout",
                         {{"SHARD", "shard", show::integer},
                          {"PRIMARY", "primary"},
                          {"BACKUP", "backup"},
                          {"STATE", "state"}},
                         {}};
  unsigned number = 0;
  for (const auto shard : job.getLayout().getShards()) {
    const auto state = shard.getBackupState();
    const bool has_backup = state != schema::BackupState::NONE;
    section.rows.push_back({number++, mesh::text(shard.getPrimary().getName()),
                            has_backup ? json(mesh::text(shard.getBackup().getName())) : json(),
                            !has_backup                            ? "alone"
                            : state == schema::BackupState::SYNCED ? "synced"
                                                                   : "syncing"});
  }
  return section;
}

} // namespace

status_report make_status_report(schema::Status::Reader status, const status_answer& answer) {
  const auto job = status.getJob();
  return {
      .answered_by = answer.from,
      .cluster = answer.cluster,
      .answer_age_seconds = answer.age_seconds,
      .view_epoch = status.getEpoch(),
      .uptime_seconds = seconds(status.getUptimeMs()),
      .sections = {nodes_of(status),
                   services_of(status, service_kind::server_shard, "shard", "shards",
                               {{"CLOCK", "clock", show::integer},
                                {"PULLS", "pulls_total", show::integer},
                                {"PUSHES", "pushes_total", show::integer},
                                {"SPARSE_KEYS", "sparse_keys", show::integer},
                                {"PRIMARY", "primaries", show::integer, true},
                                {"BACKUP", "backups", show::integer, true},
                                {"WAITING", "pulls_waiting", show::integer, true, true},
                                {"REPEATED", "parts_repeated_total", show::integer, true},
                                {"REFUSED", "requests_refused_total", show::integer, true},
                                {"RECORDED", "record_bytes_total", show::bytes, true, true},
                                {"UNRECORDED", "record_events_lost_total", show::integer, true}}),
                   services_of(status, service_kind::worker, "worker", "workers",
                               {{"STEPS", "steps_total", show::integer},
                                {"EXAMPLES", "examples_total", show::integer},
                                {"STALENESS_MAX", "staleness_max", show::integer}}),
                   services_of(status, service_kind::data_server, "data_server", "data-servers",
                               {{"TRAIN", "train_examples", show::integer},
                                {"TEST", "test_examples", show::integer},
                                {"LEASED", "batches_leased", show::integer}}),
                   services_of(status, service_kind::coordinator, "coordinator", "coordinator",
                               {{"MEMBERS", "members", show::integer},
                                {"LOST", "nodes_lost_total", show::integer},
                                {"RETURNED", "nodes_returned_total", show::integer},
                                {"CHECKPOINTS", "checkpoints_total", show::integer},
                                {"FAILED", "checkpoint_failures_total", show::integer},
                                {"AT_STEP", "checkpoint_step", show::integer, true},
                                {"AGE", "checkpoint_age_seconds", show::seconds, true, true}}),
                   job_of(job), layout_of(job)},
      .job = job_json(job)};
}

} // namespace gradmesh::tools
