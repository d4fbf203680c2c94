#include "actors/env/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace gradmesh::env {
namespace {

spdlog::level::level_enum level_of(severity s) {
  switch (s) {
  case severity::trace:
    return spdlog::level::trace;
  case severity::debug:
    return spdlog::level::debug;
  case severity::info:
    return spdlog::level::info;
  case severity::warning:
    return spdlog::level::warn;
  case severity::error:
    return spdlog::level::err;
  }
  return spdlog::level::info;
}

} // namespace

log_sink log_to_stderr(severity lowest, std::string node_name) {
  // A logger of its own, not spdlog's registry: two nodes of one process must not share one.
  const auto logger = std::make_shared<spdlog::logger>(
      std::move(node_name), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level_of(lowest));
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %n: %v");
  logger->flush_on(spdlog::level::trace);
  return [logger](severity s, std::string_view text) { logger->log(level_of(s), "{}", text); };
}

log_sink no_log() {
  return [](severity, std::string_view) {};
}

} // namespace gradmesh::env
