#include "tools/simulation/faulty_mesh.hpp"

#include "config/node_config.hpp"

#include <algorithm>
#include <utility>

namespace gradmesh::simulation {
namespace {

/// After which a machine starts a node again that ended itself.
constexpr std::chrono::milliseconds restart_delay{500};
/// An actor that could run waits for the next event once in so many times.
constexpr std::uint64_t waits_one_in = 16;
/// But not for one that is further away.
constexpr std::chrono::milliseconds wait_max{1};
/// What a machine's clock shows when it begins.
constexpr env::time_point first_moment{std::chrono::milliseconds(1)};

} // namespace

faulty_mesh::faulty_mesh(faulty_mesh_options options, actor_hosts& hosts)
    : options_(std::move(options)), hosts_(hosts), time_(options_.seed),
      wire_(time_, options_.wire) {}

faulty_mesh::~faulty_mesh() {
  stop();
}

void faulty_mesh::stop() {
  for (auto& m : machines_)
    if (m.node) bury(m);
}

env::environment faulty_mesh::environment_of(host_id host) {
  const auto& m = machines_[host];
  const auto chance = std::make_shared<env::random_stream>(
      env::random_stream(options_.seed ^ (host << 32) ^ m.lives).next());
  env::log_sink log = env::no_log();
  if (options_.note)
    log = [this, host](env::severity, std::string_view line) { note(host, std::string(line)); };
  return {.make_network =
              [this, host](env::network_options links) {
                return wire_.make_network(host, std::move(links));
              },
          .disk = m.disk,
          .run_command =
              [](const std::vector<std::string>&, std::uint64_t) {
                return result<std::string>(errc::not_found, "no programs in virtual time");
              },
          .log = std::move(log),
          .make_team = env::make_sequential_team,
          .entropy = [chance] { return chance->next(); },
          .cache_folder = {},
          .place = env::placement::scheduled,
          .rules = options_.rules};
}

void faulty_mesh::note(host_id host, const std::string& what) const {
  if (options_.note) options_.note(host, what);
}

// --- machines -----------------------------------------------------------------------------------

result<host_id> faulty_mesh::add_machine(const std::string& node_file) {
  auto loaded = config::parse_node(node_file, "node.ini");
  if (!loaded) return error{errc::invalid_config, to_string(loaded.diagnostics)};
  const host_id host = machines_.size();
  machine added;
  added.name = loaded.value->node.name;
  added.config = std::move(*loaded.value);
  added.disk = options_.disk_of(host);
  machines_.push_back(std::move(added));
  if (auto started = start(host); !started) return started.failure();
  return host;
}

result<void> faulty_mesh::start(host_id host) {
  auto& m = machines_[host];
  m.actors = hosts_.take();
  set_clock(m);
  m.hangs = false;
  const auto life = ++m.lives;
  auto started = node::node::start(
      m.actors->system(), m.config, environment_of(host), [this, host, life](const error& why) {
        // From within the node, which therefore cannot be stopped yet.
        time_.after({}, [this, host, life, why] { ended(host, life, why); });
      });
  if (!started) {
    m.actors->run_all();
    (void)hosts_.give_back(std::move(m.actors));
    m.actors = nullptr;
    return started.failure();
  }
  m.node = std::move(*started);
  note(host, "starts");
  return {};
}

void faulty_mesh::restart(host_id host) {
  if (machines_[host].node) return;
  auto started = start(host);
  if (started) return;
  const auto& why = started.failure();
  if (why.code != errc::io_failed || !options_.disk_failed(host))
    faults_.push_back("node '" + name(host) + "' does not start again: " + why.text);
  else
    time_.after(restart_delay, [this, host] { restart(host); });
}

void faulty_mesh::ended(host_id host, std::uint64_t life, const error& why) {
  auto& m = machines_[host];
  if (!m.node || m.lives != life) return;
  note(host, "ends itself: " + why.text);
  // A coordinator that is not found, or refuses, is a fault of somebody else.
  if (why.code == errc::io_failed && !options_.disk_failed(host))
    faults_.push_back("node '" + m.name + "' ended itself: " + why.text);
  bury(m);
  time_.after(restart_delay, [this, host] { restart(host); });
}

void faulty_mesh::bury(machine& m) {
  m.node->stop(std::chrono::milliseconds(0));
  m.actors->run_all();
  m.node.reset();
  m.actors->run_all();
  if (!hosts_.give_back(std::move(m.actors)))
    faults_.push_back("actors of node '" + m.name + "' outlive it");
  m.actors = nullptr;
}

void faulty_mesh::crash(host_id host, bool silently) {
  auto& m = machines_[host];
  if (!m.node) return;
  note(host, silently ? "loses its power" : "dies");
  wire_.kill(host, silently);
  bury(m);
  if (!silently) return;
  options_.power_lost(host);
  m.booted = time_.now - first_moment;
}

void faulty_mesh::hang(host_id host) {
  auto& m = machines_[host];
  if (!m.node) return;
  note(host, "hangs");
  m.hangs = true;
  wire_.hang(host);
}

void faulty_mesh::resume(host_id host) {
  auto& m = machines_[host];
  if (!m.hangs) return;
  note(host, "resumes");
  m.hangs = false;
  wire_.resume(host);
  if (m.actors) set_clock(m);
}

// --- the loop -----------------------------------------------------------------------------------

faulty_mesh::machine* faulty_mesh::draw_runnable() {
  const auto can_run = [](const machine& m) {
    return m.actors && !m.hangs && m.actors->runnable() > 0;
  };
  const auto count = std::count_if(machines_.begin(), machines_.end(), can_run);
  if (count == 0) return nullptr;
  auto skip = count == 1 ? 0 : time_.random.below(static_cast<std::uint64_t>(count));
  for (auto& m : machines_)
    if (can_run(m) && skip-- == 0) return &m;
  return nullptr;
}

bool faulty_mesh::next_event(env::time_point& when) const {
  bool found = !time_.empty();
  if (found) when = time_.next();
  for (const auto& m : machines_) {
    if (!m.actors || m.hangs) continue;
    const auto timer = m.actors->next_timer();
    if (!timer || (found && *timer + m.booted >= when)) continue;
    when = *timer + m.booted;
    found = true;
  }
  return found;
}

void faulty_mesh::advance_to(env::time_point when) {
  const auto set_clocks = [this] {
    for (auto& m : machines_)
      if (m.actors && !m.hangs) set_clock(m);
  };
  time_.now = std::max(time_.now, when);
  set_clocks();
  if (!time_.empty() && time_.next() <= time_.now) time_.step();
}

bool faulty_mesh::run_until(const std::function<bool()>& holds, timeline::duration limit) {
  const auto until = time_.now + limit;
  while (!holds()) {
    auto* runnable = draw_runnable();
    auto when = until;
    const bool more = next_event(when);
    if (runnable && !(more && when - time_.now <= wait_max && time_.once_in(waits_one_in))) {
      runnable->actors->run_one(time_.random);
      continue;
    }
    if (when >= until) {
      time_.now = until;
      return false;
    }
    advance_to(when);
  }
  return true;
}

} // namespace gradmesh::simulation
