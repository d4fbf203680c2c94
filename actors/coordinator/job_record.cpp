#include "actors/coordinator/job_record.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::coordinator {
namespace {

error malformed(const std::string& what) {
  return {errc::malformed_data, "a record of the coordinator's log " + what};
}

std::size_t at_least_one(std::uint32_t n) {
  return std::max<std::size_t>(1, n);
}

result<job_request> decode_request(schema::JobRecord::Reader in) {
  const auto request = in.getRequest();
  auto config = job::parse_config(mesh::text(request.getConfig()));
  if (!config) return malformed("has a job file that is not valid: " + config.failure().text);
  const auto client = mesh::to_uuid(in.getClient());
  if (!client) return malformed("does not say which node the job's client is");
  if (in.getPlan().getJobId() == 0) return malformed("has a job without a number");
  return job_request{
      .id = in.getPlan().getJobId(),
      .config = *std::move(config),
      .min_servers = at_least_one(request.getMinServers()),
      .min_workers = at_least_one(request.getMinWorkers()),
      .min_data_servers = at_least_one(request.getMinDataServers()),
      .wait = std::chrono::seconds(request.getWaitSeconds()),
      .client = {*client, mesh::service_id::from_wire(in.getClientService())},
      .from = {mesh::text(request.getResumeFrom()), request.getResumeNumber()},
  };
}

result<void> decode_change(schema::JobRecord::Change::Reader in, job_record& out) {
  out.change_asked = in.isAsked();
  if (!in.isAgreed()) return {};
  auto options = job::parse_config(mesh::text(in.getAgreed().getConfig()));
  if (!options)
    return malformed("has a change with a job file that is not valid: " + options.failure().text);
  out.change = agreed_change{*std::move(options), in.getAgreed().getStep()};
  return {};
}

result<void> decode_nodes(schema::JobRecord::Reader in, job_record& out) {
  for (const auto member : in.getMembers()) {
    const auto uuid = mesh::to_uuid(member.getUuid());
    if (!uuid) return malformed("names a member by something else than a uuid");
    out.incarnations[*uuid] = member.getIncarnation();
  }
  for (const auto host : in.getIntroduced()) {
    auto place = job::decode(host, mesh::service_kind::server_shard, "a host");
    if (!place) return malformed("names a host that makes no sense: " + place.failure().text);
    out.planned.insert(place->where);
  }
  for (const auto node : in.getDraining()) {
    const auto uuid = mesh::to_uuid(node);
    if (!uuid) return malformed("names a node that drains by something else than a uuid");
    out.draining.insert(*uuid);
  }
  return {};
}

} // namespace

bool has_ended(schema::JobPhase phase) {
  using schema::JobPhase;
  return phase == JobPhase::DONE || phase == JobPhase::FAILED || phase == JobPhase::CANCELLED;
}

void encode(const job_record& record, schema::JobRecord::Builder out) {
  auto plan = record.plan;
  plan.job_id = record.request.id;
  out.setPlan(job::encode(plan)->asReader());
  auto request = out.initRequest();
  request.setConfig(config::dump_job(record.request.config));
  request.setMinServers(static_cast<std::uint32_t>(record.request.min_servers));
  request.setMinWorkers(static_cast<std::uint32_t>(record.request.min_workers));
  request.setMinDataServers(static_cast<std::uint32_t>(record.request.min_data_servers));
  request.setWaitSeconds(static_cast<std::uint32_t>(record.request.wait.count()));
  request.setResumeFrom(record.request.from.folder);
  request.setResumeNumber(record.request.from.number);
  out.setClient(mesh::to_data(record.request.client.node));
  out.setClientService(record.request.client.service.to_wire());
  out.setPhase(record.phase);
  out.setBegun(record.begun);
  out.setResume(record.resume);
  out.setPhaseNumber(record.phase_number);
  auto members = out.initMembers(static_cast<unsigned>(record.incarnations.size()));
  unsigned i = 0;
  for (const auto& [uuid, incarnation] : record.incarnations) {
    members[i].setUuid(mesh::to_data(uuid));
    members[i++].setIncarnation(incarnation);
  }
  auto draining = out.initDraining(static_cast<unsigned>(record.draining.size()));
  i = 0;
  for (const auto& uuid : record.draining)
    draining.set(i++, mesh::to_data(uuid));
  auto introduced = out.initIntroduced(static_cast<unsigned>(record.planned.size()));
  i = 0;
  for (const auto& where : record.planned)
    job::encode(job::place{where, {}}, introduced[i++]);
  out.setTrainExamples(record.data.train_examples);
  out.setTestExamples(record.data.test_examples);
  auto names = out.initClassNames(static_cast<unsigned>(record.data.class_names.size()));
  for (i = 0; i < names.size(); ++i)
    names.set(i, record.data.class_names[i]);
  out.setSource(record.data.source);
  if (record.change_asked) out.initChange().setAsked();
  if (record.change) {
    auto agreed = out.initChange().initAgreed();
    agreed.setConfig(config::dump_job(record.change->options));
    agreed.setStep(record.change->step);
  }
  if (record.end) out.setEnd(record.end->getRoot<schema::JobUpdate>().asReader());
}

result<job_record> decode(schema::JobRecord::Reader in) {
  auto request = decode_request(in);
  if (!request) return request.failure();
  job_record record{.request = *std::move(request), .plan = {}};
  record.phase = in.getPhase();
  record.begun = in.getBegun();
  record.resume = in.getResume();
  record.phase_number = in.getPhaseNumber();
  if (record.begun) {
    auto plan = job::decode(in.getPlan());
    if (!plan) return malformed("has a plan that is not valid: " + plan.failure().text);
    record.plan = *std::move(plan);
  } else {
    record.plan.layout.number = in.getPlan().getLayout().getNumber();
    record.plan.revision = in.getPlan().getRevision();
  }
  if (auto nodes = decode_nodes(in, record); !nodes) return nodes.failure();
  record.data = {in.getTrainExamples(), in.getTestExamples(), {}, mesh::text(in.getSource())};
  for (const auto name : in.getClassNames())
    record.data.class_names.push_back(mesh::text(name));
  if (auto change = decode_change(in.getChange(), record); !change) return change.failure();
  if (!has_ended(record.phase)) return record;
  record.end = std::make_shared<capnp::MallocMessageBuilder>();
  record.end->setRoot(in.getEnd());
  return record;
}

} // namespace gradmesh::coordinator
