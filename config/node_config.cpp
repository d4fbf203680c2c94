#include "config/node_config.hpp"

#include "config/config_table.hpp"
#include "config/node_checks.hpp"
#include "config/sample.hpp"

#include <algorithm>

namespace gradmesh::config {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using table = config_table<node_config>;

void add_identity(table& t) {
  t.section("node", "This process: its roles and its place in the mesh.");
  t.option(
      "name", name_text(true), [](auto& c) -> auto& { return c.node.name; }, "",
      "Name of the node in views and logs; empty: its roles joined by '+'.");
  t.option(
      "roles", some_of<role>(), [](auto& c) -> auto& { return c.node.roles; }, "",
      "What this process does; required. A mesh has one coordinator and at least one of each "
      "other role, in one process or in many.");
  t.option(
      "cluster", name_text(false), [](auto& c) -> auto& { return c.node.cluster; }, "gradmesh",
      "Name of the mesh; nodes of another one are turned away.");
  t.option(
      "log_level", one_of<log_level>(), [](auto& c) -> auto& { return c.node.log_level; }, "info",
      "The least important messages that are logged.");
}

void add_network(table& t) {
  t.option(
      "listen", address(true), [](auto& c) -> auto& { return c.node.listen; }, "",
      "Where other nodes reach this one. Required for coordinator, server and data-server. "
      "An IPv6 address stands in brackets, as in [::1]:7700.");
  t.option(
      "coordinator", address(false), [](auto& c) -> auto& { return c.node.coordinator; }, "",
      "Where the coordinator of the mesh listens. Required, but for the coordinator itself.");
  t.option(
      "insecure", truth(), [](auto& c) -> auto& { return c.node.insecure; }, "false",
      "Allows to listen on other addresses than loopback. There is no TLS yet: whoever "
      "reaches such a port can read and change everything.");
  t.option(
      "join_timeout", whole_number<seconds>(1, 86'400, "seconds"),
      [](auto& c) -> auto& { return c.node.join_timeout; }, "30",
      "How long to try to reach the coordinator before giving up.");
  t.option(
      "node_timeout", whole_number<seconds>(1, 86'400, "seconds"),
      [](auto& c) -> auto& { return c.node.node_timeout; }, "10",
      "How long the coordinator hears nothing from a node before it gives the node up.");
  t.option(
      "heartbeat_ms", whole_number<milliseconds>(10, 60'000, "milliseconds"),
      [](auto& c) -> auto& { return c.node.heartbeat; }, "200",
      "Time between two signs of life of this node.");
  t.option(
      "queue_mib", whole_number<std::uint64_t>(1, 65'536, "MiB"),
      [](auto& c) -> auto& { return c.node.queue_mib; }, "256",
      "The most that may wait to be sent to one peer on one lane.");
}

void add_roles(table& t) {
  t.section("server", "Read where roles have server.");
  t.option(
      "shards", whole_number<std::uint32_t>(1, 256),
      [](auto& c) -> auto& { return c.server.shards; }, "1",
      "Shard actors in this node; each works on a thread of its own.");

  t.section("worker", "Read where roles have worker.");
  t.option(
      "prefetch", whole_number<std::uint32_t>(1, 64),
      [](auto& c) -> auto& { return c.worker.prefetch; }, "2",
      "Batches that are fetched ahead of the one that is computed.");
  t.option(
      "pushes_in_flight", whole_number<std::uint32_t>(1, 64),
      [](auto& c) -> auto& { return c.worker.pushes_in_flight; }, "2",
      "Pushes that may wait for their acknowledgement.");
  t.option(
      "device", one_of<device_choice>(), [](auto& c) -> auto& { return c.worker.device; }, "auto",
      "Where gradients are computed. auto: the best device that there is.");
}

table make_table() {
  table t;
  add_identity(t);
  add_network(t);
  add_roles(t);
  return t;
}

void name_after_roles(node_config& c) {
  if (!c.node.name.empty()) return;
  for (const auto r : c.node.roles)
    c.node.name.append(c.node.name.empty() ? "" : "+").append(to_string(r));
}

/// What the sample of a role sets.
std::map<std::string, std::string> sample_values(role r) {
  const std::string coordinator = "127.0.0.1:7700";
  std::map<std::string, std::string> values{{"node.roles", std::string(to_string(r))}};
  if (r == role::coordinator)
    values["node.listen"] = coordinator;
  else
    values["node.coordinator"] = coordinator;
  if (r == role::server) values["node.listen"] = "127.0.0.1:7710";
  if (r == role::data_server) values["node.listen"] = "127.0.0.1:7720";
  return values;
}

} // namespace

name_list<role> names_of(role) {
  static constexpr enum_name<role> names[] = {{role::coordinator, "coordinator"},
                                              {role::server, "server"},
                                              {role::worker, "worker"},
                                              {role::data_server, "data-server"}};
  return names;
}

name_list<log_level> names_of(log_level) {
  static constexpr enum_name<log_level> names[] = {{log_level::trace, "trace"},
                                                   {log_level::debug, "debug"},
                                                   {log_level::info, "info"},
                                                   {log_level::warn, "warn"},
                                                   {log_level::error, "error"}};
  return names;
}

name_list<device_choice> names_of(device_choice) {
  static constexpr enum_name<device_choice> names[] = {{device_choice::automatic, "auto"},
                                                       {device_choice::cpu, "cpu"}};
  return names;
}

bool node_config::has(role r) const {
  return std::find(node.roles.begin(), node.roles.end(), r) != node.roles.end();
}

loaded<node_config> load_node(const std::string& path, const overrides& over) {
  const auto text = read_ini(path);
  if (!text) return {{}, {}, {{path, 0, text.failure().text}}};
  return parse_node(*text, path, over);
}

loaded<node_config> parse_node(std::string_view text, const std::string& name,
                               const overrides& over) {
  return make_table().parse(text, name, over, name_after_roles, check_node);
}

std::string dump_node(const node_config& node) {
  return dump_ini(make_table().list(node));
}

std::string sample_node(role r) {
  std::vector<std::string> sections{"node"};
  if (r == role::server) sections.push_back("server");
  if (r == role::worker) sections.push_back("worker");
  return sample_ini(make_table().options(),
                    "A node file of the role " + std::string(to_string(r)) +
                        ". Every option that concerns it is here; take the '#' off a line to set "
                        "it. `gradmesh node FILE` starts the node.",
                    sections, sample_values(r));
}

} // namespace gradmesh::config
