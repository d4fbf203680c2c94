#include "tools/chaos/chaos_run.hpp"

#include "actors/store/model_file.hpp"
#include "tools/signals.hpp"

#include <fmt/format.h>
#include <poll.h>

namespace gradmesh::tools::chaos {
namespace {

constexpr std::chrono::milliseconds look_interval{20};
constexpr std::chrono::seconds member_limit{30};
constexpr std::chrono::seconds silence_limit{30};
constexpr std::uint64_t model_bytes_max = std::uint64_t{1} << 32;
/// Killing is ours: a process that we kill often is not to be given up for that.
constexpr std::uint32_t restarts_max = 1000;
constexpr std::chrono::seconds restart_window{1};
/// Steps without an acknowledgement: those of some seconds, so that no worker waits while a shard
/// recovers.
constexpr std::uint32_t pushes_ahead_of_shards = 16'384;

double seconds_between(time_point a, time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

bool same_bits_each_time(const config::job_config& job) {
  return job.job.deterministic && job.job.strategy == config::strategy::bsp &&
         job.job.backup_workers == 0;
}

} // namespace

chaos_run::chaos_run(config::job_config job, chaos_options options, chaos_listeners tell)
    : job_(std::move(job)), options_(std::move(options)), tell_(std::move(tell)),
      began_(std::chrono::steady_clock::now()) {
  result_.seed = options_.seed;
  result_.heartbeat_seconds = static_cast<double>(options_.heartbeat.count()) / 1000;
}

chaos_run::~chaos_run() = default;

double chaos_run::seconds_since_start(time_point t) const {
  return seconds_between(began_, t);
}

result<chaos_result> chaos_run::go() {
  if (auto prepared = prepare(); !prepared) return prepared.failure();
  run_jobs();
  if (active_) finish_fault();
  result_.restarts = mesh_->mesh().restarts();
  result_.seconds = seconds_since_start(std::chrono::steady_clock::now());
  // Whom a fault may have hit is not waited for.
  if (result_.passed()) {
    watch_->shut_down("`gradmesh chaos` has ended");
    mesh_->mesh().stop();
  }
  return result_;
}

result<void> chaos_run::prepare() {
  const bool partitions =
      std::ranges::find(options_.kinds, fault_kind::partition) != options_.kinds.end();
  if (partitions && job_.mesh.lane == config::lane_kind::shm)
    job_.mesh.lane = config::lane_kind::tcp;
  const bool through_proxy = job_.mesh.lane == config::lane_kind::tcp || partitions;
  job_.mesh.restarts = restarts_max;
  job_.mesh.restart_window = restart_window;
  if (is_counting(job_))
    if (auto written = write_counting_data(*env::make_disk(), job_); !written) return written;
  const bool pushes = options_.load == load_kind::pushes;
  auto started = chaos_mesh::start(
      job_, {options_.heartbeat, through_proxy, pushes ? pushes_ahead_of_shards : 0});
  if (!started) return started.failure();
  mesh_ = std::move(*started);
  job_.job.model_file = model_file();
  watch_.emplace(mesh_->mesh().environment(), mesh_->mesh().access());
  plan_.emplace(options_.seed, options_.kinds, only(mesh_->nodes(), options_.roles),
                options_.longest);
  tell_.news("mesh: " + mesh_->mesh().description());
  return {};
}

bool chaos_run::run_jobs() {
  if (options_.faults > 0 && same_bits_each_time(job_)) {
    tell_.news("a job without faults first, for its bits");
    if (!run_job(false)) return false;
  }
  do {
    const auto faults_before = result_.faults.size();
    if (!run_job(true)) return false;
    ++result_.jobs_done;
    if (!result_.violations.empty()) return false;
    if (options_.faults > 0 && result_.faults.size() == faults_before)
      return fail("it was over before a fault could be injected; make it longer "
                  "(--set job.epochs=N, --set emulation.step_time_ms=N) or --interval shorter");
  } while (result_.faults.size() < options_.faults);
  return true;
}

bool chaos_run::run_job(bool harmed) {
  harmed_ = harmed && options_.faults > 0;
  if (!submit()) return false;
  const auto job_began = std::chrono::steady_clock::now();
  heard_ = job_began;
  next_fault_ = job_began + plan_->pause(options_.interval);
  while (true) {
    if (interrupted()) {
      result_.interrupted = true;
      return false;
    }
    look_after();
    if (const auto dead = mesh_->mesh().end()) return fail(*dead);
    const auto view = watch_->look();
    if (view) {
      last_ = *view;
      heard_ = view->taken;
    }
    serve_fault(view);
    if (judge(view)) break;
    if (!within_limits(job_began)) return false;
    poll(nullptr, 0, static_cast<int>(look_interval.count()));
  }
  if (active_) finish_fault();
  if (!result_.failure.empty()) return false;
  check_model(harmed);
  return true;
}

bool chaos_run::submit() {
  const auto deadline = std::chrono::steady_clock::now() + options_.recovery_limit;
  while (true) {
    const auto id = watch_->submit({.config = config::dump_job(job_),
                                    .min_servers = job_.mesh.servers,
                                    .min_workers = job_.mesh.workers,
                                    .min_data_servers = job_.mesh.data_servers,
                                    .wait = member_limit});
    if (id) {
      job_id_ = *id;
      return true;
    }
    // The coordinator may be on its way back from the last fault of the job before.
    const bool passing =
        id.failure().code == errc::unreachable || id.failure().code == errc::node_lost;
    if (!passing || interrupted() || std::chrono::steady_clock::now() > deadline)
      return fail("it could not be submitted: " + id.failure().text);
    look_after();
    poll(nullptr, 0, static_cast<int>(look_interval.count()));
  }
}

bool chaos_run::judge(const result<mesh_view>& view) {
  if (!view) return false;
  if (view->job_id != job_id_) {
    fail(fmt::format("the coordinator that answers does not know job {}", job_id_));
    return true;
  }
  if (view->phase == schema::JobPhase::DONE) return true;
  if (view->phase != schema::JobPhase::FAILED && view->phase != schema::JobPhase::CANCELLED)
    return false;
  fail(view->text +
       (view->failed_node.empty() ? "" : " (first failure: " + view->failed_node + ")"));
  return true;
}

void chaos_run::check_model(bool harmed) {
  const auto disk = env::make_disk();
  const auto bytes = disk->read(model_file(), model_bytes_max);
  const auto model = bytes ? store::read_model(std::as_bytes(std::span(*bytes)))
                           : result<store::model_content>(bytes.failure());
  if (!model) {
    result_.violations.push_back("the model cannot be read: " + model.failure().text);
    return;
  }
  if (is_counting(job_)) {
    result_.counts.push_back(count(*model, job_));
    const auto& found = result_.counts.back();
    if (found.lost + found.doubled > 0)
      result_.violations.push_back(fmt::format("of {} examples {} were applied too seldom and {} "
                                               "too often in {} epochs",
                                               found.examples, found.lost, found.doubled,
                                               job_.job.epochs));
  }
  if (!same_bits_each_time(job_)) return;
  if (!harmed || result_.sha256.empty())
    result_.sha256 = last_.sha256;
  else if (result_.sha256 != last_.sha256)
    result_.violations.push_back("the parameters are not those of the undisturbed run: sha256 " +
                                 last_.sha256);
}

bool chaos_run::within_limits(time_point job_began) {
  const auto now = std::chrono::steady_clock::now();
  if (now - job_began > options_.job_limit)
    return fail(fmt::format("it is not done after {} s (--job-limit)", options_.job_limit.count()));
  if (!active_ && now - heard_ > silence_limit)
    return fail(fmt::format("the coordinator has not answered for {} s", silence_limit.count()));
  if (!active_) return true;
  const auto over = active_->began + active_->outcome.what.lasts + options_.recovery_limit;
  if (now <= over) return true;
  const auto text = fmt::format("{}: {}: the mesh did not recover within {} s (--recovery-limit)",
                                active_->outcome.what.node, describe(active_->outcome.what),
                                options_.recovery_limit.count());
  result_.violations.push_back(text);
  return fail("a fault was not survived");
}

void chaos_run::serve_fault(const result<mesh_view>& view) {
  if (active_) return watch_fault(view);
  const auto now = std::chrono::steady_clock::now();
  if (!harmed_ || !view || view->phase != schema::JobPhase::TRAINING || now < next_fault_ ||
      view->workers.empty() || result_.faults.size() >= options_.faults)
    return;
  begin_fault(*view);
}

void chaos_run::begin_fault(const mesh_view& view) {
  // Nobody promises to survive the loss of both copies: the second waits until there is another.
  if (!drawn_) drawn_ = plan_->next();
  if (job_.job.replication > 1 && view.has_only_copy(drawn_->node)) return;
  const auto what = *std::exchange(drawn_, std::nullopt);
  const auto member = view.members.find(what.node);
  std::map<std::uint32_t, std::string> backups;
  for (std::uint32_t shard = 0; shard < view.shards.size(); ++shard)
    backups[shard] = view.shards[shard].backup;
  mesh_->pushes().mark(backups);
  const auto now = std::chrono::steady_clock::now();
  const auto pid = mesh_->inject(what);
  if (!pid) {
    tell_.news("skipped: " + describe(what) + ": " + pid.failure().text);
    next_fault_ = now + plan_->pause(options_.interval);
    return;
  }
  fault_outcome outcome{what, *pid, seconds_since_start(now), {}, {}, {}};
  active_ = active_fault{.outcome = outcome,
                         .began = now,
                         .ended = {},
                         .incarnation = member == view.members.end() ? 0 : member->second,
                         .steps = recovery(now)};
  tell_.news(fmt::format("{:8.2f}s  {} (process {}): {}", outcome.at_seconds, what.node, *pid,
                         describe(what)));
  if (what.lasts.count() == 0) active_->ended = now;
}

void chaos_run::watch_fault(const result<mesh_view>& view) {
  auto& a = *active_;
  const auto now = std::chrono::steady_clock::now();
  if (!a.ended && now >= a.began + a.outcome.what.lasts) {
    if (const auto undone = mesh_->undo(a.outcome.what, static_cast<pid_t>(a.outcome.process_id));
        !undone)
      tell_.news("not undone: " + undone.failure().text);
    a.ended = now;
  }
  if (!view) return;
  a.steps.take(view->workers);
  if (!a.outcome.recovery_seconds && a.steps.seen())
    a.outcome.recovery_seconds = seconds_between(a.began, *a.steps.seen());
  const auto member = view->members.find(a.outcome.what.node);
  const bool killed = a.outcome.what.kind == fault_kind::kill;
  const bool back = member != view->members.end() && a.ended && view->taken > *a.ended &&
                    (!killed || member->second > a.incarnation);
  if (back && !a.outcome.back_seconds)
    a.outcome.back_seconds = seconds_between(a.began, view->taken);
  if (a.outcome.recovery_seconds && a.outcome.back_seconds && has_seen_pushes()) finish_fault();
}

watched_fault chaos_run::watched(time_point until) const {
  const auto& a = *active_;
  auto ended = a.ended.value_or(until);
  if (a.outcome.what.lasts.count() == 0 && a.outcome.back_seconds)
    ended = a.began + std::chrono::duration_cast<time_point::duration>(
                          std::chrono::duration<double>(*a.outcome.back_seconds));
  return {a.outcome.what.node, a.began, ended, until};
}

bool chaos_run::has_seen_pushes() {
  if (options_.load != load_kind::pushes) return true;
  const auto& a = *active_;
  const auto now = std::chrono::steady_clock::now();
  const auto seen = judge_pushes(mesh_->pushes().since_mark(), watched(now - push_window));
  if (!seen.primary_hit) return true;
  return seen.first_push && seconds_between(a.began, now - push_window) > *seen.first_push;
}

void chaos_run::finish_fault() {
  auto& a = *active_;
  if (!a.ended) (void)mesh_->undo(a.outcome.what, static_cast<pid_t>(a.outcome.process_id));
  if (mesh_->goes_through_proxy())
    a.outcome.pushes =
        judge_pushes(mesh_->pushes().since_mark(), watched(std::chrono::steady_clock::now()));
  if (options_.load == load_kind::pushes && a.outcome.pushes && a.outcome.pushes->apart_least == 0)
    result_.violations.push_back(
        fmt::format("{}: {}: a shard with no copy there acknowledged nothing for {} ms",
                    a.outcome.what.node, describe(a.outcome.what), push_window.count()));
  result_.faults.push_back(a.outcome);
  tell_.fault(a.outcome);
  active_.reset();
  next_fault_ = std::chrono::steady_clock::now() + plan_->pause(options_.interval);
}

bool chaos_run::fail(const std::string& why) {
  if (!result_.failure.empty()) return false;
  result_.failure = why;
  look_after();
  if (const auto found = mesh_->mesh().casualty()) tell_.news(*found);
  return false;
}

void chaos_run::look_after() {
  for (const auto& line : mesh_->mesh().look_after())
    tell_.news(line);
}

} // namespace gradmesh::tools::chaos
