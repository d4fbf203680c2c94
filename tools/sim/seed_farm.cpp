#include "tools/sim/seed_farm.hpp"

#include "tools/sim/wire_watch.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace gradmesh::tools::sim {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t jobs_max = 256;
constexpr std::size_t seeds_a_line = 8;
constexpr int look_interval_ms = 100;

/// Seed that each process is at, in memory that parent and children share.
class seed_board {
public:
  seed_board() {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) seeds_ = static_cast<std::uint64_t*>(memory);
  }
  ~seed_board() {
    if (seeds_) munmap(seeds_, bytes);
  }
  seed_board(const seed_board&) = delete;
  seed_board& operator=(const seed_board&) = delete;
  explicit operator bool() const { return seeds_ != nullptr; }
  std::uint64_t& operator[](std::size_t job) { return seeds_[job]; }

private:
  static constexpr std::size_t bytes = jobs_max * sizeof(std::uint64_t);
  std::uint64_t* seeds_ = nullptr;
};

void write_line(int fd, const std::string& line) {
  for (std::size_t at = 0; at < line.size();) {
    const auto wrote = write(fd, line.data() + at, line.size() - at);
    if (wrote < 0 && errno != EINTR) _exit(1); // nobody listens any more
    if (wrote > 0) at += static_cast<std::size_t>(wrote);
  }
}

std::string line_of(const farm_report& r) {
  return fmt::format("done {} {} {} {} {}\n", r.seeds, r.frames, r.jobs_failed, r.virtual_seconds,
                     r.hash);
}

/// What a child does.
void run_seeds(const farm_options& options, std::size_t job, int fd, std::uint64_t& at) {
  sim_store store;
  farm_report since;
  for (auto seed = options.first + job; seed < options.first + options.seeds;
       seed += options.jobs) {
    at = seed;
    const auto report = run_seed(plan_of(seed, options.seed), {.rules = options.rules}, store);
    since.add(seed, report);
    const bool wrong = !report.violation.empty();
    if (since.seeds == seeds_a_line || wrong) write_line(fd, line_of(std::exchange(since, {})));
    if (wrong) return write_line(fd, fmt::format("violation {} {}\n", seed, report.violation));
  }
  write_line(fd, line_of(since));
}

struct child {
  pid_t pid = -1;
  int fd = -1; // -1: it has ended
  std::string heard{};
};

void hear_line(const std::string& line, farm_report& report) {
  unsigned long long seeds = 0, frames = 0, failed = 0, hash = 0, seed = 0;
  double seconds = 0;
  int text = 0;
  if (std::sscanf(line.c_str(), "done %llu %llu %llu %lf %llu", &seeds, &frames, &failed, &seconds,
                  &hash) == 5)
    report.add({.seeds = seeds,
                .frames = frames,
                .jobs_failed = failed,
                .virtual_seconds = seconds,
                .hash = hash,
                .found = {}});
  else if (std::sscanf(line.c_str(), "violation %llu %n", &seed, &text) == 1 && !report.found)
    report.found = violation{seed, line.substr(static_cast<std::size_t>(text))};
}

/// False when the child has closed its end.
bool hear(child& from, farm_report& report) {
  char some[4096];
  const auto got = read(from.fd, some, sizeof some);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  from.heard.append(some, static_cast<std::size_t>(got));
  for (std::size_t end = 0; (end = from.heard.find('\n')) != std::string::npos;) {
    hear_line(from.heard.substr(0, end), report);
    from.heard.erase(0, end + 1);
  }
  return true;
}

/// Reaps a child; whether it ended as it should.
bool reap(child& c, bool kill_it) {
  if (c.pid <= 0) return true;
  if (kill_it) kill(c.pid, SIGKILL);
  int status = 0;
  waitpid(std::exchange(c.pid, -1), &status, 0);
  if (c.fd >= 0) close(std::exchange(c.fd, -1));
  return kill_it || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

result<child> start(const farm_options& options, std::size_t job, std::uint64_t& at) {
  int ends[2];
  if (pipe(ends) != 0)
    return error{errc::io_failed, std::string("cannot make a pipe: ") + std::strerror(errno)};
  const auto parent = getpid();
  const auto pid = fork();
  if (pid < 0)
    return error{errc::io_failed, std::string("cannot start a process: ") + std::strerror(errno)};
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close(ends[0]);
    run_seeds(options, job, ends[1], at);
    _exit(0);
  }
  close(ends[1]);
  return child{pid, ends[0]};
}

/// Hears all children until they have ended, or there is no need to.
void follow(std::vector<child>& children, seed_board& at, farm_report& report,
            const std::function<bool(const farm_report&)>& go_on) {
  const auto began = clock::now();
  for (bool running = true; running && !report.found;) {
    std::vector<pollfd> fds;
    for (const auto& c : children)
      fds.push_back({c.fd, POLLIN, 0});
    (void)poll(fds.data(), fds.size(), look_interval_ms);
    running = false;
    for (std::size_t i = 0; i < children.size(); ++i) {
      auto& c = children[i];
      if (c.fd < 0) continue;
      running = true;
      if ((fds[i].revents & (POLLIN | POLLHUP)) == 0 || hear(c, report)) continue;
      if (!reap(c, false) && !report.found)
        report.found = violation{at[i], "the process that ran the seed has died"};
    }
    report.seconds = std::chrono::duration<double>(clock::now() - began).count();
    if (!go_on(report)) break;
  }
}

} // namespace

void farm_report::add(std::uint64_t seed, const seed_report& report) {
  ++seeds;
  frames += report.frames;
  jobs_failed += report.job_failed ? 1 : 0;
  virtual_seconds += report.virtual_seconds;
  trace_hash with_seed;
  with_seed.add(seed);
  with_seed.add(report.hash);
  hash += with_seed.value();
}

void farm_report::add(const farm_report& other) {
  seeds += other.seeds;
  frames += other.frames;
  jobs_failed += other.jobs_failed;
  virtual_seconds += other.virtual_seconds;
  hash += other.hash;
}

result<farm_report> run_farm(const farm_options& options,
                             const std::function<bool(const farm_report&)>& go_on) {
  auto asked = options;
  asked.jobs = std::min({options.jobs, jobs_max, static_cast<std::size_t>(options.seeds)});
  seed_board at;
  if (!at) return error{errc::io_failed, "no memory to share with processes"};
  farm_report report;
  std::vector<child> children;
  for (std::size_t job = 0; job < asked.jobs; ++job) {
    auto started = start(asked, job, at[job]);
    if (!started) {
      for (auto& c : children)
        reap(c, true);
      return started.failure();
    }
    children.push_back(std::move(*started));
  }
  follow(children, at, report, go_on);
  for (auto& c : children)
    reap(c, true);
  return report;
}

} // namespace gradmesh::tools::sim
