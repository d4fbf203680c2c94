#include "config/node_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gradmesh::config {

namespace {

/// A heartbeat or two may be late without anything being wrong.
constexpr int heartbeats_per_timeout_min = 3;

void check_addresses(const node_config& c, std::vector<finding>& found) {
  const auto& n = c.node;
  for (const auto r : n.roles)
    if (r != role::worker && !n.listen) {
      found.push_back({"node.listen", fmt::format("required for the role {}; give the address "
                                                  "that other nodes reach it at, as in "
                                                  "127.0.0.1:7700",
                                                  to_string(r))});
      break;
    }
  if (n.listen && !n.insecure && !c.tls.enabled() && !is_loopback(*n.listen))
    found.push_back({"node.listen", fmt::format("{} is not a loopback address, and there is no "
                                                "section [tls] to protect it: name its three files "
                                                "(gradmesh tls init makes them), or listen on "
                                                "127.0.0.1, or set node.insecure = true if "
                                                "everybody who can reach the port may control the "
                                                "mesh",
                                                to_string(*n.listen))});
  if (n.advertise && !n.listen)
    found.push_back({"node.advertise", "nobody can dial a node that does not listen; set "
                                       "node.listen too, or remove this"});
  if (!c.has(role::coordinator) && !n.coordinator)
    found.push_back({"node.coordinator", "required unless node.roles have coordinator; give the "
                                         "address that the coordinator listens at"});
  if (c.has(role::coordinator) && n.coordinator)
    found.push_back({"node.coordinator", "this node is the coordinator itself (node.roles); "
                                         "remove one of the two"});
}

void check_tls(const tls_section& tls, std::vector<finding>& found) {
  const auto missing = [](const std::string& path) { return path.empty(); };
  const std::pair<const char*, const std::string&> keys[] = {
      {"tls.ca", tls.ca}, {"tls.certificate", tls.certificate}, {"tls.key", tls.key}};
  if (std::all_of(std::begin(keys), std::end(keys), [&](auto& k) { return missing(k.second); }))
    return;
  for (const auto& [name, path] : keys)
    if (missing(path))
      found.push_back({name, "required, because another key of [tls] is set; TLS needs ca, "
                             "certificate and key (gradmesh tls init and issue make them)"});
}

} // namespace

std::vector<finding> check_node(const node_config& c) {
  std::vector<finding> found;
  if (c.node.roles.empty())
    return {{"node.roles", fmt::format("required; name one or more of {}", list_names<role>())}};
  check_addresses(c, found);
  check_tls(c.tls, found);
  const auto& slow = c.emulation;
  if (c.worker.device.what == device_choice::kind::cuda &&
      (slow.step_time.count() > 0 || slow.slowdown != 1))
    found.push_back({"worker.device", fmt::format("{} cannot be made slower by [emulation]; choose "
                                                  "cpu, or remove step_time_ms and slowdown",
                                                  to_string(c.worker.device))});
  if (c.node.node_timeout.count() > 0 &&
      c.node.heartbeat * heartbeats_per_timeout_min > c.node.node_timeout)
    found.push_back({"node.heartbeat_ms",
                     fmt::format("{} ms leave no room for {} heartbeats in node.node_timeout "
                                 "({} s); lower the one or raise the other",
                                 c.node.heartbeat.count(), heartbeats_per_timeout_min,
                                 c.node.node_timeout.count())});
  return found;
}

} // namespace gradmesh::config
