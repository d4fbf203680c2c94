#include "tools/sim/seed_run.hpp"

#include "tools/lab/counting.hpp"
#include "tools/lab/lab_data.hpp"
#include "tools/sim/fault_driver.hpp"
#include "tools/sim/job_check.hpp"
#include "tools/sim/patient_client.hpp"
#include "tools/sim/wire_watch.hpp"

#include <fmt/format.h>

#include <optional>

namespace gradmesh::tools::sim {
namespace {

using simulation::faulty_mesh;
using simulation::host_id;

constexpr std::uint64_t data_seed = 20261122;
/// For the last frames of a job, whatever the latency, and for silent members to be given up.
constexpr std::chrono::seconds settle_time = node_timeout + std::chrono::seconds(1);
constexpr mesh::node_uuid client_uuid{0xc1, 0x1e, 0x47};

class seed_run {
public:
  seed_run(const seed_plan& plan, const run_options& options, sim_store& store)
      : plan_(plan), options_(options), store_(store) {}

  seed_report run() {
    report_.violation = violation();
    if (report_.violation.empty()) report_.violation = watch_.violation();
    if (mesh_) {
      report_.virtual_seconds = env::seconds_between(env::time_point(), mesh_->time().now);
      client_.reset();
      mesh_->stop();
      if (report_.violation.empty() && !mesh_->faults().empty())
        report_.violation = mesh_->faults().front();
    }
    report_.hash = watch_.hash().value();
    report_.frames = watch_.frames();
    return report_;
  }

private:
  std::string violation();
  std::string begin();
  /// Runs a job to its end; what is wrong with that.
  std::string run_job(const std::string& record, bool with_faults);
  std::string judge(const std::string& record, const patient_client& job, bool with_faults);
  void note(const std::string& who, const std::string& what);

  const seed_plan& plan_;
  const run_options& options_;
  sim_store& store_;
  seed_report report_;
  wire_watch watch_;
  disk_list disks_;
  std::optional<faulty_mesh> mesh_;
  std::unique_ptr<simulation::job_client> client_;
};

void seed_run::note(const std::string& who, const std::string& what) {
  if (!options_.trace) return;
  const auto now = mesh_ ? env::seconds_between(env::time_point(), mesh_->time().now) : 0.0;
  options_.trace(fmt::format("{:.6f} {}: {}", now, who, what));
}

std::string seed_run::begin() {
  simulation::faulty_mesh_options options{
      .seed = plan_.seed,
      .rules = options_.rules,
      .wire = plan_.wire,
      .disk_of = [this](host_id host) -> std::shared_ptr<env::disk> {
        auto disk = std::make_shared<simulation::faulty_disk>(plan_.seed ^ host << 32);
        (void)disk->create_directories(".");
        (void)disk->write("train.data", store_.data_of(plan_));
        disks_.push_back(disk);
        return disk;
      },
      .power_lost = [this](host_id host) { disks_[host]->crash(); },
      .disk_failed = [this](host_id host) { return disks_[host]->was_faulty(); },
      .note = {}};
  if (options_.trace)
    options.note = [this](host_id host, const std::string& what) { note(plan_.names[host], what); };
  mesh_.emplace(std::move(options), store_.hosts);
  mesh_->wire().on_delivery = [this](const simulation::delivery& d) {
    watch_.see(d);
    if (!options_.trace) return;
    const auto name = [&](host_id host) {
      return host < plan_.names.size() ? plan_.names[host] : std::string("client");
    };
    note(name(d.from),
         fmt::format("-> {}: {} #{}, {} bytes", name(d.to), kind_name(d.frame->header.kind),
                     d.frame->header.message_id, d.frame->wire_bytes()));
  };
  for (const auto& file : plan_.node_files)
    if (auto added = mesh_->add_machine(file); !added) return added.failure().text;
  client_ = std::make_unique<simulation::job_client>(
      [this](env::network_options links) {
        return mesh_->wire().make_network(mesh_->machines(), std::move(links));
      },
      client_uuid);
  const auto started = client_->start();
  return started ? std::string() : started.failure().text;
}

std::string seed_run::violation() {
  if (auto wrong = begin(); !wrong.empty()) return wrong;
  if (auto wrong = run_job("clock", true); !wrong.empty()) return wrong;
  if (!report_.job_failed) return {};
  // Whatever the faults have left behind must not harm the next job.
  if (auto wrong = run_job("clock-2", false); !wrong.empty()) return "the next job: " + wrong;
  return {};
}

std::string seed_run::run_job(const std::string& record, bool with_faults) {
  auto text = plan_.job;
  constexpr std::string_view key = "record = clock";
  text.replace(text.find(key), key.size(), "record = " + record);
  patient_client job(*mesh_, *client_, text,
                     {static_cast<std::uint32_t>(plan_.servers),
                      static_cast<std::uint32_t>(plan_.workers),
                      static_cast<std::uint32_t>(plan_.data_servers)});
  if (!mesh_->run_until([&] { return job.accepted() || job.refused(); }, end_limit))
    return fmt::format("the coordinator does not take the job within {} s", end_limit.count());
  const auto faults_over = mesh_->time().now + plan_.faults_end();
  if (with_faults) schedule_faults(plan_, *mesh_, disks_);
  const auto limit = (with_faults ? plan_.faults_end() : std::chrono::milliseconds(0)) + end_limit;
  const bool ended = mesh_->run_until([&] { return job.ended(); }, limit);
  const auto& outcome = job.outcome();
  note("client", fmt::format("phase {}: {}", static_cast<int>(outcome.phase), outcome.text));
  watch_.hash().add(static_cast<std::uint64_t>(outcome.phase));
  watch_.hash().add(outcome.failed_node + outcome.parameters_sha256);
  if (!ended)
    return fmt::format("the job has not ended {} s after the last fault (phase {}: {})",
                       end_limit.count(), static_cast<int>(outcome.phase), outcome.text);
  const auto now = mesh_->time().now;
  const auto wait = std::max<simulation::timeline::duration>(faults_over - now, {});
  const bool all_is_well =
      outcome.phase == schema::JobPhase::DONE && !may_be_missed(plan_).contains(0);
  // A job that is done has nothing to wait for but its last frames, unless its coordinator died
  // before they were sent.
  (void)mesh_->run_until([] { return false; },
                         wait + (all_is_well ? std::chrono::milliseconds(400) : settle_time));
  return judge(record, job, with_faults);
}

std::string seed_run::judge(const std::string& record, const patient_client& job,
                            bool with_faults) {
  const auto& outcome = job.outcome();
  if (job.refused()) return "the job was refused: " + client_->refusal().text;
  if (outcome.phase == schema::JobPhase::DONE) {
    if (with_faults) report_.parameters_sha256 = outcome.parameters_sha256;
    return fault_of_job(plan_, outcome, disks_, record, options_.undisturbed ? nullptr : &store_);
  }
  report_.job_failed = true;
  // While the coordinator is away, and then waits for who had the shard, workers may give up first.
  const bool shard_lost =
      may_lose_shard(plan_) && (outcome.text.starts_with("shard ") ||
                                may_be_missed(plan_).contains(0) || may_fail_to_write(plan_, 0));
  if (with_faults && shard_lost) return {};
  return fmt::format("the job was not done: '{}' failed it: {}", outcome.failed_node, outcome.text);
}

} // namespace

const std::string& sim_store::data_of(const seed_plan& plan) {
  auto& text = data_[{plan.data, plan.examples}];
  if (!text.empty()) return text;
  switch (plan.data) {
  case data_kind::counted:
    return text = lab::file_text(lab::counted_examples(plan.examples));
  case data_kind::sparse:
    return text = lab::file_text(lab::learnable_examples(data_seed, plan.examples, 32, 3));
  case data_kind::svrg:
    return text = lab::file_text(lab::dense_examples(data_seed, plan.examples, 4, 3));
  }
  return text;
}

result<std::string> sim_store::bits_of(const seed_plan& plan) {
  auto& bits = bits_[{plan.data, plan.examples}];
  if (!bits.empty()) return bits;
  auto undisturbed = plan;
  undisturbed.faults.clear();
  undisturbed.wire.repeat_one_in = 0;
  const auto report = run_seed(undisturbed, {.undisturbed = true}, *this);
  if (!report.violation.empty()) return error{errc::refused, report.violation};
  bits = report.parameters_sha256;
  return bits;
}

seed_report run_seed(const seed_plan& plan, const run_options& options, sim_store& store) {
  return seed_run(plan, options, store).run();
}

} // namespace gradmesh::tools::sim
