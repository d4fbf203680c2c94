#include "tools/supervised_node.hpp"

#include <fmt/format.h>

#include <csignal>

namespace gradmesh::tools {
namespace {

constexpr std::size_t last_words_lines = 12;

/// The file of a node that listens where it does now, and not at any free port.
std::string listening_at(std::string file, const std::string& endpoint) {
  const std::string key = "\nlisten = ";
  const auto begin = file.find(key);
  if (begin == std::string::npos || endpoint.empty()) return file;
  const auto value = begin + key.size();
  return file.replace(value, file.find('\n', value) - value, endpoint);
}

} // namespace

supervised_node::supervised_node(planned_node plan, const std::string& folder,
                                 restart_policy policy)
    : plan_(std::move(plan)), folder_(folder), policy_(policy) {}

node_process_options supervised_node::options() const {
  const auto path = folder_ + "/" + plan_.name;
  return {.name = plan_.name,
          .config_file = path + ".ini",
          .log_file = path + ".log",
          .again = last_death_.has_value()};
}

result<void> supervised_node::start(env::disk& disk) {
  const auto how = options();
  if (auto written = disk.write(how.config_file, plan_.config); !written) return written;
  auto started = node_process::start(how);
  if (!started) return started.failure();
  process_.emplace(std::move(*started));
  return {};
}

result<std::string> supervised_node::wait_ready(env::disk& disk, std::chrono::milliseconds limit) {
  auto ready = process_->wait_ready(limit);
  if (!ready) {
    const auto how = process_->ended();
    return error{ready.failure().code, how ? last_words(*how) : ready.failure().text};
  }
  plan_.config = listening_at(plan_.config, *ready);
  if (auto written = disk.write(options().config_file, plan_.config); !written)
    return written.failure();
  return ready;
}

void supervised_node::signal(int number) const {
  if (process_) process_->signal(number);
}

bool supervised_node::wait_end(std::chrono::milliseconds limit) {
  return !process_ || process_->wait_end(limit);
}

std::optional<std::string> supervised_node::look_after(std::chrono::steady_clock::time_point now) {
  if (given_up_ || left_) return std::nullopt;
  if (due_) {
    if (now < *due_) return std::nullopt;
    due_.reset();
    return start_again();
  }
  const auto how = process_->ended();
  if (!how) return std::nullopt;
  return on_end(*how, now);
}

std::string supervised_node::on_end(const std::string& how,
                                    std::chrono::steady_clock::time_point now) {
  last_death_ = death{now, last_words(how)};
  const auto what = fmt::format("node '{}' (process {}) ended: {}", name(), pid(), how);
  if (process_->ended_as_told()) {
    left_ = true;
    return what + "; it was told to, and is not started again";
  }
  const auto due = policy_.after_death(now);
  if (!due) {
    given_up_ = true;
    if (policy_.restarts_max() == 0) return what + "; mesh.restarts = 0: it stays dead";
    return what + fmt::format("; given up: more than {} restarts (mesh.restarts) in {} s",
                              policy_.restarts_max(), policy_.window().count());
  }
  if (*due <= now) return what + "; " + start_again();
  due_ = due;
  return what +
         fmt::format("; starting it again in {} ms",
                     std::chrono::duration_cast<std::chrono::milliseconds>(*due - now).count());
}

std::string supervised_node::start_again() {
  auto started = node_process::start(options());
  if (!started) {
    given_up_ = true;
    return "node '" + name() + "' could not be started again: " + started.failure().text;
  }
  process_.emplace(std::move(*started));
  ++restarts_;
  return fmt::format("node '{}' started again as process {}", name(), pid());
}

std::string supervised_node::last_words(const std::string& how) const {
  return "node '" + name() + "' (process " + std::to_string(pid()) + ") ended: " + how +
         ". Its last log lines (" + options().log_file + "):\n" +
         process_->last_log_lines(last_words_lines);
}

} // namespace gradmesh::tools
