#include "tools/sim/seed_run.hpp"

#include "actors/store/checkpoint_store.hpp"
#include "tools/lab/counting.hpp"
#include "tools/lab/lab_data.hpp"
#include "tools/sim/checkpoint_client.hpp"
#include "tools/sim/checkpoint_faults.hpp"
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

/// For the coordinator to begin again after the last fault.
constexpr std::chrono::milliseconds dark_time{100};

/// One of the jobs of a seed.
struct job_of_seed {
  std::string record{}; // as in the job file; empty: none
  std::string folder{}; // of its checkpoints; empty: none
  simulation::resume_point from{};
  std::vector<fault> faults{};
  bool is_first = false;
};

class seed_run {
public:
  seed_run(const seed_plan& plan, const run_options& options, sim_store& store)
      : plan_(plan), options_(options), store_(store) {}

  seed_report run() {
    report_.violation = violation();
    if (report_.violation.empty()) report_.violation = watch_.violation();
    if (report_.violation.empty() && watch_.has_parted() && !may_silence_backup(plan_))
      report_.violation = "a primary gives up a backup that nothing kept from answering";
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
  std::string go_on_from_checkpoint();
  /// The newest checkpoint that is whole; 0: there is none.
  std::uint64_t newest_checkpoint() const;
  /// Runs a job to its end; what is wrong with that.
  std::string run_job(const job_of_seed& what);
  std::string judge(const job_of_seed& what, const patient_client& job, const seed_plan& plan);
  /// Whether faults excuse that a job failed.
  bool may_fail(const patient_client& job, const seed_plan& plan) const;
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
  job_of_seed first{.faults = plan_.faults, .is_first = true};
  (plan_.checkpoints ? first.folder : first.record) =
      plan_.checkpoints ? checkpoint_folder : "clock";
  if (auto wrong = run_job(first); !wrong.empty()) return wrong;
  if (plan_.checkpoints && !options_.undisturbed)
    if (auto wrong = go_on_from_checkpoint(); !wrong.empty()) return wrong;
  if (!report_.job_failed) return {};
  // Whatever the faults have left behind must not harm the next job.
  job_of_seed next;
  (plan_.checkpoints ? next.folder : next.record) = plan_.checkpoints ? "checkpoints-2" : "clock-2";
  if (auto wrong = run_job(next); !wrong.empty()) return "the next job: " + wrong;
  return {};
}

std::uint64_t seed_run::newest_checkpoint() const {
  const auto found =
      store::checkpoint_store(disks_.front(), checkpoint_folder).latest_good(nullptr);
  return found ? found->manifest.number : 0;
}

std::string seed_run::go_on_from_checkpoint() {
  const auto& how = *plan_.checkpoints;
  if (how.power_lost) {
    mesh_->crash(0, true);
    mesh_->time().after(dark_time, [this] { mesh_->restart(0); });
    (void)mesh_->run_until([&] { return mesh_->runs(0); }, end_limit);
  }
  const auto newest = newest_checkpoint();
  note("client",
       fmt::format("was told of checkpoint {}, the newest is {}", client_->checkpoint(), newest));
  if (newest < client_->checkpoint() && !may_damage_checkpoints(plan_))
    return fmt::format("checkpoint {} was made, and the newest that is whole is {}",
                       client_->checkpoint(), newest);
  if (newest == 0) return {};
  const auto wrong = run_job({.record = {},
                              .folder = checkpoint_folder,
                              .from = {checkpoint_folder, 0},
                              .faults = how.later_faults});
  return wrong.empty() ? wrong
                       : fmt::format("the job that goes on from checkpoint {}: {}", newest, wrong);
}

/// The plan's job file as one of its jobs has it.
std::string file_of(const seed_plan& plan, const job_of_seed& what) {
  auto text = plan.job;
  const auto put = [&](std::string_view key, const std::string& first, const std::string& value) {
    const auto line = std::string(key) + first;
    if (const auto at = text.find(line); at != text.npos)
      text.replace(at, line.size(), std::string(key) + value);
  };
  put("record = ", "clock", what.record);
  put("folder = ", checkpoint_folder, what.folder);
  return text;
}

std::string seed_run::run_job(const job_of_seed& what) {
  auto plan = plan_;
  plan.faults = what.faults;
  patient_client job(*mesh_, *client_, file_of(plan_, what),
                     {static_cast<std::uint32_t>(plan_.servers),
                      static_cast<std::uint32_t>(plan_.workers),
                      static_cast<std::uint32_t>(plan_.data_servers)},
                     what.from);
  if (!mesh_->run_until([&] { return job.accepted() || job.refused(); }, end_limit))
    return fmt::format("the coordinator does not take the job within {} s", end_limit.count());
  const auto faults_over = mesh_->time().now + plan.faults_end();
  schedule_faults(plan, *mesh_, disks_);
  std::optional<checkpoint_client> checkpoints;
  if (what.is_first && plan_.checkpoints && !options_.undisturbed)
    checkpoints.emplace(*plan_.checkpoints, *mesh_, *client_, job);
  const bool ended = mesh_->run_until([&] { return job.ended(); }, plan.faults_end() + end_limit);
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
      outcome.phase == schema::JobPhase::DONE && !may_be_missed(plan).contains(0);
  // A job that is done has nothing to wait for but its last frames, unless its coordinator died
  // before they were sent.
  (void)mesh_->run_until([] { return false; },
                         wait + (all_is_well ? std::chrono::milliseconds(400) : settle_time));
  return judge(what, job, plan);
}

std::string seed_run::judge(const job_of_seed& what, const patient_client& job,
                            const seed_plan& plan) {
  const auto& outcome = job.outcome();
  if (job.refused()) return "the job was refused: " + client_->refusal().text;
  if (outcome.phase == schema::JobPhase::DONE) {
    if (what.is_first) report_.parameters_sha256 = outcome.parameters_sha256;
    auto behind_it = plan; // whatever befell the parameters since they began
    if (!what.from.folder.empty())
      behind_it.faults.insert(behind_it.faults.end(), plan_.faults.begin(), plan_.faults.end());
    return fault_of_job(behind_it, outcome, disks_, what.record,
                        options_.undisturbed ? nullptr : &store_);
  }
  const bool cancels = what.is_first && plan.checkpoints && plan.checkpoints->cancels_at;
  if (outcome.phase == schema::JobPhase::CANCELLED && cancels) return {};
  report_.job_failed = true;
  if (may_fail(job, plan)) return {};
  return fmt::format("the job was not done: '{}' failed it: {}", outcome.failed_node, outcome.text);
}

bool seed_run::may_fail(const patient_client& job, const seed_plan& plan) const {
  if (!may_lose_shard(plan)) return false;
  if (client_->checkpoint() > 0 && !may_damage_checkpoints(plan_)) return false;
  if (may_damage_checkpoints(plan_) && job.outcome().text.starts_with("there is no checkpoint"))
    return true;
  // While the coordinator is away, and then waits for who had the shard, workers may give up first.
  return job.outcome().text.starts_with("shard ") || may_be_missed(plan).contains(0) ||
         may_fail_to_write(plan, 0);
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
  auto& bits = bits_[{plan.data, plan.epochs}];
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
