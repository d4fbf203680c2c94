#include "actors/env/environment.hpp"

#include "actors/env/network/socket_network.hpp"
#include "actors/env/random.hpp"

#include <chrono>

namespace gradmesh::env {

environment real_environment(log_sink log, std::string cache_folder) {
  return {.make_network = [](network_options options) -> std::shared_ptr<network> {
            return make_socket_network(std::move(options));
          },
          .disk = make_disk(),
          .run_command = run_command,
          .log = std::move(log),
          .make_team = make_thread_team,
          .open_device = real_devices(),
          .entropy = entropy,
          .cache_folder = std::move(cache_folder),
          .place = placement::hosted,
          .lock_folder = lock_folder,
          .unix_ms =
              [] {
                const auto now = std::chrono::system_clock::now().time_since_epoch();
                return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
              }};
}

} // namespace gradmesh::env
