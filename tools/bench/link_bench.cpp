#include "tools/bench/link_bench.hpp"

#include "actors/env/process.hpp"
#include "tools/bench/link_load.hpp"
#include "tools/bench/peer_process.hpp"
#include "tools/bench/pinned.hpp"
#include "tools/bench/scratch_certificates.hpp"
#include "tools/bench/statistics.hpp"

#include <algorithm>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{20};
constexpr std::chrono::milliseconds warm_up{100};
constexpr std::uint64_t window_bytes = 8u << 20;
constexpr std::uint64_t window_min = 2;
constexpr std::uint64_t window_max = 1024;

/// The processes and connections of one benchmark.
struct rig {
  std::optional<scratch_certificates> certificates; // the files go last
  std::vector<std::unique_ptr<baseline>> baselines;
  std::optional<peer_process> receiver;
  std::unique_ptr<link_load> sender;
};

/// What the runs of one size found, a value a run.
struct samples {
  std::vector<double> figure; // goodput or p50: what the spread is of
  std::vector<double> messages_per_s;
  std::vector<double> p50_us;
  std::vector<double> p99_us;
  std::vector<double> cores;
};
struct baseline_samples {
  std::vector<double> goodput;
  std::vector<double> rtt_us;
};

result<peer_process> start_receiver(const link_setup& setup,
                                    const std::optional<tls_files>& theirs) {
  std::vector<std::string> arguments{"bench",       "link-peer",
                                     "--lane",      to_string(setup.lane),
                                     "--bytes-max", std::to_string(setup.bytes_max)};
  if (setup.touch) arguments.push_back("--touch");
  if (theirs)
    arguments.insert(arguments.end(), {"--ca", theirs->ca, "--certificate", theirs->certificate,
                                       "--key", theirs->key});
  return peer_process::start(arguments);
}

result<void> add(std::vector<std::unique_ptr<baseline>>& all,
                 result<std::unique_ptr<baseline>> made) {
  if (!made) return made.failure();
  all.push_back(*std::move(made));
  return {};
}

/// Plain TCP for every lane, and what the lane itself is made of.
result<void> add_baselines(rig& r, const link_setup& setup,
                           const std::optional<tls_files>& theirs) {
  if (auto added = add(r.baselines, make_raw_tcp(setup.touch)); !added) return added;
  if (setup.lane == link_lane::tls)
    return add(r.baselines, make_openssl(*setup.tls, *theirs, setup.touch));
  if (setup.lane == link_lane::shm) r.baselines.push_back(make_memcpy(setup.touch));
  return {};
}

result<void> start_far_end(rig& r, const link_setup& setup,
                           const std::optional<tls_files>& theirs) {
  const pinned far_end(1);
  if (auto added = add_baselines(r, setup, theirs); !added) return added;
  auto receiver = start_receiver(setup, theirs);
  if (!receiver) return receiver.failure();
  r.receiver.emplace(*std::move(receiver));
  return {};
}

result<rig> set_up(const link_bench_options& options) {
  rig r;
  link_setup setup{options.lane, *std::ranges::max_element(options.sizes), {}, options.touch};
  std::optional<tls_files> theirs;
  if (options.lane == link_lane::tls) {
    auto made = scratch_certificates::make();
    if (!made) return made.failure();
    r.certificates.emplace(*std::move(made));
    setup.tls = r.certificates->files(link_side::sender);
    theirs = r.certificates->files(link_side::receiver);
  }
  if (auto started = start_far_end(r, setup, theirs); !started) return started.failure();
  const auto listening = r.receiver->hear(patience);
  if (!listening) return listening.failure();
  const auto at = config::parse_endpoint((*listening)["endpoint"].get<std::string>());
  if (!at) return at.failure();
  const pinned near_end(0); // its thread too
  auto sender = link_load::connect(setup, *at);
  if (!sender) return sender.failure();
  r.sender = *std::move(sender);
  return r;
}

/// Of both processes, so far.
result<double> cpu_seconds(rig& r) {
  const auto theirs = r.receiver->ask("cpu", patience);
  if (!theirs) return theirs.failure();
  return env::current_usage().cpu_seconds + (*theirs)["cpu_seconds"].get<double>();
}

result<void> measure_link(rig& r, const series_order& order, bool is_goodput, samples& into) {
  const auto cpu_before = cpu_seconds(r);
  if (!cpu_before) return cpu_before.failure();
  const auto began = clock::now();
  const auto found = r.sender->run(order);
  if (!found) return found.failure();
  const auto cpu_after = cpu_seconds(r);
  if (!cpu_after) return cpu_after.failure();
  const std::chrono::duration<double> passed = clock::now() - began;
  const auto rate = static_cast<double>(found->messages) / found->seconds;
  into.figure.push_back(is_goodput ? rate * static_cast<double>(order.bytes) / 1e9 : found->p50_us);
  into.messages_per_s.push_back(rate);
  into.p50_us.push_back(found->p50_us);
  into.p99_us.push_back(found->p99_us);
  into.cores.push_back((*cpu_after - *cpu_before) / passed.count());
  return {};
}

result<void> measure_baseline(baseline& b, std::uint64_t bytes, std::chrono::duration<double> time,
                              baseline_samples& into) {
  const auto goodput = b.goodput(bytes, time);
  if (!goodput) return goodput.failure();
  into.goodput.push_back(*goodput);
  const auto rtt = b.rtt_us(bytes, time);
  if (!rtt) return rtt.failure();
  if (*rtt) into.rtt_us.push_back(**rtt);
  return {};
}

bench_row make_row(const link_bench_options& options, std::uint64_t bytes, const char* op,
                   const samples& s) {
  bench_row row;
  row.bench = "link";
  row.lane = to_string(options.lane);
  row.size_bytes = bytes;
  row.op = op;
  row.messages_per_s = median(s.messages_per_s);
  row.p50_us = median(s.p50_us);
  row.p99_us = median(s.p99_us);
  row.cpu_cores = median(s.cores);
  row.runs = options.runs;
  row.spread = spread(s.figure);
  return row;
}

result<std::vector<bench_row>> measure_size(rig& r, const link_bench_options& options,
                                            std::uint64_t bytes) {
  const series_order stream{bytes, window_of(bytes), options.time};
  const series_order ping{bytes, 1, options.time};
  samples one_way;
  samples round_trip;
  std::vector<baseline_samples> others(r.baselines.size());
  if (auto warm = r.sender->run({bytes, stream.window, warm_up}); !warm) return warm.failure();
  for (unsigned run = 0; run < options.runs; ++run) {
    for (std::size_t i = 0; i < others.size(); ++i)
      if (auto ok = measure_baseline(*r.baselines[i], bytes, options.time, others[i]); !ok)
        return ok.failure();
    if (auto ok = measure_link(r, stream, true, one_way); !ok) return ok.failure();
    if (auto ok = measure_link(r, ping, false, round_trip); !ok) return ok.failure();
  }
  auto streamed = make_row(options, bytes, "one-way", one_way);
  streamed.goodput_gb_per_s = median(one_way.figure);
  auto pinged = make_row(options, bytes, "round-trip", round_trip);
  for (std::size_t i = 0; i < others.size(); ++i) {
    const auto* name = r.baselines[i]->name();
    streamed.references.push_back({name, median(others[i].goodput), std::nullopt});
    pinged.references.push_back({name, std::nullopt, std::nullopt});
    if (!others[i].rtt_us.empty()) pinged.references.back().rtt_us = median(others[i].rtt_us);
  }
  return std::vector{streamed, pinged};
}

} // namespace

std::size_t window_of(std::uint64_t bytes) {
  return std::clamp(window_bytes / std::max<std::uint64_t>(1, bytes), window_min, window_max);
}

result<std::vector<bench_row>> run_link_bench(const link_bench_options& options) {
  auto r = set_up(options);
  if (!r) return r.failure();
  const pinned near_end(0); // of the baselines
  std::vector<bench_row> rows;
  for (const auto bytes : options.sizes) {
    if (options.progress) options.progress(std::to_string(bytes) + " bytes");
    const auto measured = measure_size(*r, options, bytes);
    if (!measured) return measured.failure();
    rows.insert(rows.end(), measured->begin(), measured->end());
  }
  return rows;
}

} // namespace gradmesh::tools::bench
