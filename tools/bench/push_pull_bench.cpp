#include "tools/bench/push_pull_bench.hpp"

#include "tools/bench/baseline/baseline.hpp"
#include "tools/bench/peer_process.hpp"
#include "tools/bench/pinned.hpp"
#include "tools/bench/scratch_folder.hpp"
#include "tools/bench/statistics.hpp"
#include "tools/local_mesh.hpp"
#include "tools/node_process.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <list>
#include <sstream>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{90};
constexpr std::chrono::milliseconds ready_limit{20'000};
constexpr std::chrono::milliseconds end_limit{3'000};
constexpr std::chrono::milliseconds warm_up{150};
/// Requests in flight where a window is measured: about so many bytes.
constexpr std::uint64_t window_bytes = 2u << 20;
constexpr std::uint64_t window_min = 3;
constexpr std::uint64_t window_max = 4096;
constexpr std::uint64_t sparse_window = 4;

using baselines = std::vector<std::unique_ptr<baseline>>;

/// One kind of request that is measured.
struct operation {
  std::string name;
  std::string what; // "push" or "pull"
  std::uint64_t window = 1;
  std::uint64_t keys = 0;
  bool fresh = false;
  bool replicated = false; // each shard has a backup on the next server
  bool is_latency() const { return window == 1 && keys == 0; }
};

/// What the runs found, a value a run.
struct samples {
  std::vector<double> figure; // what the spread is of
  std::vector<double> requests_per_s;
  std::vector<double> p50_us;
  std::vector<double> p99_us;
  std::vector<double> control_p99_us;
  std::vector<double> cores;
  std::vector<double> wire_bytes_per_byte;
};

/// Of another process, so far: user and system time.
double cpu_seconds_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream fields(text.substr(after_name + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field)
    fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// The processes of one benchmark. The first worker is the coordinator as well.
class rig {
public:
  explicit rig(scratch_folder folder) : folder_(std::move(folder)) {}
  rig(rig&&) = default;
  ~rig() {
    workers_.clear();
    for (const auto& server : servers_)
      server.signal(SIGTERM);
    for (auto& server : servers_)
      if (!server.wait_end(end_limit)) server.signal(SIGKILL);
  }

  result<void> start(const push_pull_options& options);
  /// Raw TCP, and what the lane is made of.
  result<baselines> make_baselines(config::lane_kind lane) const;
  /// Begins a job with so many floats in its dense table, or goes on with the present one.
  result<void> prepare(std::uint64_t floats, bool replicated);
  result<void> run(const operation& what, std::chrono::duration<double> time,
                   std::uint64_t request_bytes, samples* into);

private:
  result<std::string> write_node(const std::string& name, const std::string& roles,
                                 const std::string& coordinator, config::lane_kind lane);
  result<std::vector<nlohmann::json>> ask_all(const std::string& line);
  /// By the links of all nodes, so far.
  result<double> bytes_sent();
  double cpu_seconds() const {
    double total = 0;
    for (const auto& server : servers_)
      total += cpu_seconds_of(server.pid());
    for (const auto& worker : workers_)
      total += cpu_seconds_of(worker.pid());
    return total;
  }

  scratch_folder folder_;
  std::list<node_process> servers_;
  std::vector<peer_process> workers_;
  std::uint64_t jobs_ = 0;
  std::pair<std::uint64_t, bool> present_{~std::uint64_t{0}, false};
};

result<std::string> rig::write_node(const std::string& name, const std::string& roles,
                                    const std::string& coordinator, config::lane_kind lane) {
  const auto path = folder_.path(name + ".ini");
  std::ofstream file(path);
  file << "[node]\nname = " << name << "\nroles = " << roles << "\nlisten = 127.0.0.1:0\n";
  if (!coordinator.empty()) file << "coordinator = " << coordinator << "\n";
  file << lane_lines(lane, folder_.path("certificates/" + name));
  file.close();
  if (!file) return {errc::io_failed, "cannot write " + path};
  return path;
}

result<void> rig::start(const push_pull_options& options) {
  std::vector<std::string> names;
  for (unsigned w = 0; w < options.workers; ++w)
    names.push_back("worker-" + std::to_string(w));
  for (unsigned s = 0; s < options.servers; ++s)
    names.push_back("server-" + std::to_string(s));
  if (options.lane == config::lane_kind::tls)
    if (auto made = make_certificates(folder_.path("certificates"), names); !made) return made;

  std::string coordinator;
  for (unsigned w = 0; w < options.workers; ++w) {
    const auto file =
        write_node(names[w], w == 0 ? "coordinator, worker" : "worker", coordinator, options.lane);
    if (!file) return file.failure();
    const pinned here(w);
    auto worker = peer_process::start(
        {"bench", "push-pull-worker", *file, "--rank", std::to_string(w), "--servers",
         std::to_string(options.servers), "--workers", std::to_string(options.workers)});
    if (!worker) return worker.failure();
    workers_.push_back(*std::move(worker));
    const auto listening = workers_.back().hear(patience);
    if (!listening) return listening.failure();
    if (w == 0) coordinator = (*listening)["endpoint"].get<std::string>();
  }
  for (unsigned s = 0; s < options.servers; ++s) {
    const auto& name = names[options.workers + s];
    const auto file = write_node(name, "server", coordinator, options.lane);
    if (!file) return file.failure();
    const pinned here(options.workers + s);
    auto server = node_process::start(
        {.name = name, .config_file = *file, .log_file = folder_.path(name + ".log")});
    if (!server) return server.failure();
    servers_.push_back(*std::move(server));
    if (auto ready = servers_.back().wait_ready(ready_limit); !ready)
      return error{ready.failure().code,
                   ready.failure().text + "\n" + servers_.back().last_log_lines(5)};
  }
  const auto joined = ask_all("go");
  return joined ? result<void>() : joined.failure();
}

result<baselines> rig::make_baselines(config::lane_kind lane) const {
  baselines made;
  auto raw = make_raw_tcp(false);
  if (!raw) return raw.failure();
  made.push_back(*std::move(raw));
  if (lane == config::lane_kind::shm) made.push_back(make_memcpy(false));
  if (lane == config::lane_kind::tls) {
    const auto files = [&](const std::string& name) {
      const auto file = [&](const std::string& f) { return folder_.path("certificates/" + f); };
      return tls_files{file("ca.crt"), file(name + ".crt"), file(name + ".key")};
    };
    auto openssl = make_openssl(files("worker-0"), files("server-0"), false);
    if (!openssl) return openssl.failure();
    made.push_back(*std::move(openssl));
  }
  return made;
}

result<std::vector<nlohmann::json>> rig::ask_all(const std::string& line) {
  for (auto& worker : workers_)
    worker.tell(line);
  std::vector<nlohmann::json> answers;
  for (auto& worker : workers_) {
    auto answer = worker.hear(patience);
    if (!answer) return answer.failure();
    answers.push_back(*std::move(answer));
  }
  return answers;
}

result<double> rig::bytes_sent() {
  workers_.front().tell("sent");
  const auto answer = workers_.front().hear(patience);
  if (!answer) return answer.failure();
  return (*answer)["bytes_sent"].get<double>();
}

result<void> rig::prepare(std::uint64_t floats, bool replicated) {
  if (std::exchange(present_, {floats, replicated}) == std::pair(floats, replicated)) return {};
  const auto ready = ask_all("prepare " + std::to_string(++jobs_) + " " + std::to_string(floats) +
                             (replicated ? " 1" : " 0"));
  return ready ? result<void>() : ready.failure();
}

result<void> rig::run(const operation& what, std::chrono::duration<double> time,
                      std::uint64_t request_bytes, samples* into) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  const auto sent_before = bytes_sent();
  if (!sent_before) return sent_before.failure();
  const auto cpu_before = cpu_seconds();
  const auto began = clock::now();
  const auto answers = ask_all("run " + what.what + " " + std::to_string(what.window) + " " +
                               std::to_string(what.keys) + (what.fresh ? " 1 " : " 0 ") +
                               std::to_string(milliseconds));
  if (!answers) return answers.failure();
  if (!into) return {};
  const std::chrono::duration<double> passed = clock::now() - began;
  into->cores.push_back((cpu_seconds() - cpu_before) / passed.count());
  const auto sent = bytes_sent();
  if (!sent) return sent.failure();
  double requests = 0;
  double rate = 0;
  std::vector<double> p50;
  std::vector<double> p99;
  for (const auto& answer : *answers) {
    requests += answer["requests"].get<double>();
    rate += answer["requests"].get<double>() / answer["seconds"].get<double>();
    p50.push_back(answer["p50_us"].get<double>());
    p99.push_back(answer["p99_us"].get<double>());
  }
  into->requests_per_s.push_back(rate);
  into->wire_bytes_per_byte.push_back((*sent - *sent_before) /
                                      (requests * static_cast<double>(request_bytes)));
  into->p50_us.push_back(median(p50));
  into->p99_us.push_back(*std::ranges::max_element(p99));
  into->control_p99_us.push_back(answers->front()["control_p99_us"].get<double>());
  into->figure.push_back(what.is_latency() ? into->p50_us.back()
                                           : rate * static_cast<double>(request_bytes) / 1e9);
  return {};
}

bench_row make_row(const push_pull_options& options, const operation& what, std::uint64_t bytes,
                   const samples& s) {
  bench_row row;
  row.bench = "push-pull";
  row.lane = options.lane == config::lane_kind::shm   ? "shm"
             : options.lane == config::lane_kind::tcp ? "tcp"
                                                      : "tls";
  row.servers = options.servers;
  row.workers = options.workers;
  row.size_bytes = bytes;
  row.op = what.name;
  row.messages_per_s = median(s.requests_per_s);
  if (what.keys > 0) row.keys_per_s = *row.messages_per_s * static_cast<double>(what.keys);
  if (!what.is_latency()) row.goodput_gb_per_s = median(s.figure);
  row.p50_us = median(s.p50_us);
  row.p99_us = median(s.p99_us);
  row.control_p99_us = median(s.control_p99_us);
  row.cpu_cores = median(s.cores);
  row.wire_bytes_per_byte = median(s.wire_bytes_per_byte);
  row.runs = options.runs;
  row.spread = spread(s.figure);
  return row;
}

/// All operations of one size, run by run with the baselines between them.
result<void> measure(rig& r, const baselines& others, const push_pull_options& options,
                     const std::vector<operation>& operations, std::uint64_t bytes,
                     std::uint64_t floats, std::vector<bench_row>& rows) {
  struct reference_samples {
    std::vector<double> goodput;
    std::vector<double> rtt_us;
  };
  std::vector<samples> found(operations.size());
  std::vector<reference_samples> theirs(others.size());
  const auto perform = [&](const operation& what, std::chrono::duration<double> time,
                           samples* into) -> result<void> {
    if (auto ready = r.prepare(floats, what.replicated); !ready) return ready;
    return r.run(what, time, bytes, into);
  };
  for (const auto& what : operations)
    if (auto warm = perform(what, warm_up, nullptr); !warm) return warm;
  for (unsigned run = 0; run < options.runs; ++run) {
    for (std::size_t i = 0; i < others.size(); ++i) {
      const auto goodput = others[i]->goodput(bytes, options.time);
      if (!goodput) return goodput.failure();
      theirs[i].goodput.push_back(*goodput);
      const auto rtt = others[i]->rtt_us(bytes, options.time);
      if (!rtt) return rtt.failure();
      if (*rtt) theirs[i].rtt_us.push_back(**rtt);
    }
    for (std::size_t i = 0; i < operations.size(); ++i)
      if (auto ran = perform(operations[i], options.time, &found[i]); !ran) return ran;
  }
  for (std::size_t i = 0; i < operations.size(); ++i) {
    auto row = make_row(options, operations[i], bytes, found[i]);
    for (std::size_t o = 0; o < others.size(); ++o) {
      reference to{others[o]->name(), median(theirs[o].goodput), std::nullopt};
      if (!theirs[o].rtt_us.empty()) to.rtt_us = median(theirs[o].rtt_us);
      row.references.push_back(to);
    }
    if (options.replicated)
      row.references.push_back(
          {"unreplicated",
           operations[i].replicated ? std::optional(median(found[0].figure)) : std::nullopt,
           std::nullopt});
    rows.push_back(row);
  }
  return {};
}

} // namespace

result<std::vector<bench_row>> run_push_pull_bench(const push_pull_options& options) {
  auto folder = scratch_folder::make();
  if (!folder) return folder.failure();
  rig r(*std::move(folder));
  if (auto started = r.start(options); !started) return started.failure();
  const auto others = [&] {
    const pinned far_end(1);
    return r.make_baselines(options.lane);
  }();
  if (!others) return others.failure();
  const auto progress = [&](const std::string& what) {
    if (options.progress) options.progress(what);
  };
  const pinned near_end(0); // of the baselines
  std::vector<bench_row> rows;
  for (const auto bytes : options.sizes) {
    progress(std::to_string(bytes) + " bytes");
    const auto window = std::clamp(window_bytes / bytes, window_min, window_max);
    std::vector<operation> operations{{"push", "push", window},
                                      {"pull", "pull", window},
                                      {"push-one", "push", 1},
                                      {"pull-one", "pull", 1}};
    if (options.replicated)
      operations.push_back(
          {.name = "push-replicated", .what = "push", .window = window, .replicated = true});
    if (auto ok = measure(r, *others, options, operations, bytes, bytes / sizeof(float), rows); !ok)
      return ok.failure();
  }
  if (options.sparse_keys > 0) {
    const auto keys = options.sparse_keys;
    progress(std::to_string(keys) + " sparse keys");
    if (auto ok = measure(r, *others, options,
                          {{"push-repeated", "push", sparse_window, keys, false},
                           {"push-fresh", "push", sparse_window, keys, true},
                           {"pull-repeated", "pull", sparse_window, keys, false},
                           {"pull-fresh", "pull", sparse_window, keys, true}},
                          keys * sizeof(float), 0, rows);
        !ok)
      return ok.failure();
  }
  return rows;
}

} // namespace gradmesh::tools::bench
