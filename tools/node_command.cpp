#include "tools/command.hpp"

#include "actors/node/node.hpp"
#include "config/node_config.hpp"
#include "tools/actor_system.hpp"
#include "tools/cache_folder.hpp"
#include "tools/options.hpp"
#include "tools/signals.hpp"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <optional>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds interrupt_check{50};

env::severity severity_of(config::log_level level) {
  switch (level) {
  case config::log_level::trace:
    return env::severity::trace;
  case config::log_level::debug:
    return env::severity::debug;
  case config::log_level::info:
    return env::severity::info;
  case config::log_level::warn:
    return env::severity::warning;
  case config::log_level::error:
    return env::severity::error;
  }
  return env::severity::info;
}

/// Tells whoever started this node that it listens, and where.
void say_ready(int fd, const std::string& endpoint) {
  const auto line = endpoint + "\n";
  if (write(fd, line.data(), line.size()) < 0) {
    // Who asked is gone; the node goes on for the others.
  }
  close(fd);
}

exit_code serve(const config::node_config& config, int ready_fd) {
  const auto log = env::log_to_stderr(severity_of(config.node.log_level), config.node.name);
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<error> end;

  catch_interrupts();
  // A file at its limit is an error of the write, as on a disk that is full.
  std::signal(SIGXFSZ, SIG_IGN);
  actor_system system;
  auto node = node::node::start(*system, config, env::real_environment(log, cache_folder()),
                                [&](const error& why) {
                                  const std::lock_guard lock(mutex);
                                  end = why;
                                  changed.notify_all();
                                });
  if (!node) return report_failure("node", node.failure());
  const auto endpoint = config.node.listen ? to_string((*node)->endpoint()) : std::string();
  log(env::severity::info, endpoint.empty() ? "started" : "listening on " + endpoint);
  if (ready_fd >= 0) say_ready(ready_fd, endpoint);

  std::unique_lock lock(mutex);
  while (!end && !interrupted())
    changed.wait_for(lock, interrupt_check);
  const auto why = end.value_or(error{});
  lock.unlock();
  (*node)->stop();
  if (why) return report_failure("node", why);
  if (interrupted()) log(env::severity::info, "interrupted");
  return interrupted() ? exit_interrupted : exit_ok;
}

} // namespace

exit_code node_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh node NODE.ini [options]",
      .description =
          "Starts one process with the roles that its file names (coordinator, server, worker,\n"
          "data-server) and joins it to the mesh. Runs until the mesh is shut down, the\n"
          "coordinator stays away for longer than node.join_timeout, or Ctrl-C.\n"
          "`gradmesh config sample worker` prints a commented file.",
      .positional = {"NODE.ini"},
      .required = 1};
  add_set_option(options.named);
  options.named.add_options()("ready-fd", po::value<int>()->default_value(-1)->value_name("N"),
                              "write \"HOST:PORT\\n\" to this descriptor once the node listens");
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto loaded =
        config::load_node(values["NODE.ini"].as<std::string>(), overrides_of(values));
    if (!loaded) {
      std::cerr << to_string(loaded.diagnostics);
      return exit_invalid_config;
    }
    return serve(*loaded.value, values["ready-fd"].as<int>());
  });
}

} // namespace gradmesh::tools
