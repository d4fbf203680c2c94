#include "config/node_config.hpp"

#include "config/config_table.hpp"
#include "config/emulation_limits.hpp"
#include "config/node_checks.hpp"
#include "config/sample.hpp"

#include <algorithm>

namespace gradmesh::config {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using table = config_table<node_config>;
using node_options = table::section_options<node_section>;

void add_identity(node_options& node) {
  node.option("name", &node_section::name, name_text(true), "",
              "Name of the node in views and logs; empty: its roles joined by '+'.");
  node.option(
      "roles", &node_section::roles, some_of<role>(), "",
      "What this process does; required. A mesh has one coordinator, servers, workers and, unless "
      "its jobs do without (data.served_by), data servers, in one process or in many.");
  node.option("cluster", &node_section::cluster, name_text(false), "gradmesh",
              "Name of the mesh; nodes of another one are turned away.");
  node.option("state_folder", &node_section::state_folder, free_text("a path"), "",
              "What this node is to know after a restart: who it is, how often it began and, for "
              "a coordinator, its job. One folder for each node. Empty: each start is another "
              "node.");
  node.option("log_level", &node_section::log_level, one_of<log_level>(), "info",
              "The least important messages that are logged.");
}

void add_network(node_options& node) {
  node.option("listen", &node_section::listen, optional_address(true), "",
              "Where other nodes reach this one. Required for coordinator, server and data-server. "
              "An IPv6 address stands in brackets, as in [::1]:7700.");
  node.option("advertise", &node_section::advertise, optional_address(false), "",
              "Where other nodes dial this one, if that is not node.listen: behind a port that is "
              "forwarded, or a proxy.");
  node.option(
      "coordinator", &node_section::coordinator, optional_address(false), "",
      "Where the coordinator of the mesh listens. Required, but for the coordinator itself.");
  node.option(
      "insecure", &node_section::insecure, truth(), "false",
      "Allows to listen on other addresses than loopback without the section [tls]: whoever "
      "reaches such a port can read and change everything.");
  node.option("join_timeout", &node_section::join_timeout,
              whole_number<seconds>(1, 86'400, "seconds"), "30",
              "How long to try to reach the coordinator before giving up.");
  node.option("node_timeout", &node_section::node_timeout,
              whole_number<seconds>(0, 86'400, "seconds"), "0",
              "How long the coordinator hears nothing from a node before it gives the node up. 0: "
              "eight times its node.heartbeat_ms.");
  node.option("heartbeat_ms", &node_section::heartbeat,
              whole_number<milliseconds>(10, 60'000, "milliseconds"), "100",
              "Time between two signs of life of a node; the coordinator's counts.");
  node.option("shared_memory", &node_section::shared_memory, truth(), "true",
              "Nodes of one user on one host exchange tensors through shared memory instead of TCP "
              "or TLS, unless one of them says false here.");
  node.option("queue_mib", &node_section::queue_mib, whole_number<std::uint64_t>(1, 65'536, "MiB"),
              "64", "The most that may wait to be sent to one peer; more is told to come later.");
  node.option("window_mib", &node_section::window_mib,
              whole_number<std::uint64_t>(1, 65'536, "MiB"), "64",
              "The most that one peer may have sent to this node without it being dealt with.");
}

void add_tls(table& t) {
  auto tls =
      t.section("tls", &node_config::tls,
                "TLS 1.3 for all links of this node; without these three keys there is none. "
                "`gradmesh tls init` and `gradmesh tls issue` make the files. Paths that are "
                "relative start at the folder where the program was started.");
  tls.option("ca", &tls_section::ca, free_text("a path of a PEM file"), "",
             "The certificate of the mesh's CA: whom this node trusts.");
  tls.option("certificate", &tls_section::certificate, free_text("a path of a PEM file"), "",
             "The certificate of this node; it names the cluster, the node and its roles.");
  tls.option("key", &tls_section::key, free_text("a path of a PEM file"), "",
             "The key of the certificate; nobody else may be able to read it.");
}

void add_roles(table& t) {
  auto server = t.section("server", &node_config::server, "Read where roles have server.");
  server.option("shards", &server_section::shards, whole_number<std::uint32_t>(1, 256), "1",
                "Shard actors in this node; each works on a thread of its own.");

  auto worker = t.section("worker", &node_config::worker, "Read where roles have worker.");
  worker.option("prefetch", &worker_section::prefetch, whole_number<std::uint32_t>(1, 64), "2",
                "Batches that are fetched ahead of the one that is computed.");
  worker.option("pushes_in_flight", &worker_section::pushes_in_flight,
                whole_number<std::uint32_t>(1, 64), "2",
                "Pushes that may wait for their acknowledgement.");
  worker.option("device", &worker_section::device, device_name(), "auto",
                "Where gradients are computed. auto: on cuda:0 if this build and this machine have "
                "one, else on the CPU.");
  worker.option("device_memory_limit_mib", &worker_section::device_memory_limit_mib,
                whole_number<std::uint64_t>(0, 1'048'576, "MiB"), "0",
                "The most memory of a CUDA device that this worker takes; a job that needs more is "
                "refused before it begins. 0: all that is free.");
  worker.option(
      "device_products", &worker_section::device_products, one_of<product_rounding>(), "float32",
      "What a CUDA device rounds the operands of dense products to; tf32 and bfloat16 run "
      "on its tensor cores and keep 10 and 7 bits after the point. Sums stay "
      "float32.");
}

void add_emulation(table& t) {
  auto emulation = t.section("emulation", &node_config::emulation,
                             "For experiments only: makes this node slower than it is, to see how "
                             "a mesh with slow links or slow workers behaves.");
  emulation.option("link_delay_ms", &emulation_section::link_delay,
                   whole_number<milliseconds>(0, link_delay_ms_max, "milliseconds"), "0",
                   "Experiment: whatever this node sends to another leaves so much later.");
  emulation.option("step_time_ms", &emulation_section::step_time,
                   whole_number<milliseconds>(0, step_time_ms_max, "milliseconds"), "0",
                   "Experiment: this worker takes at least so long to compute a step.");
  emulation.option("slowdown", &emulation_section::slowdown,
                   real_number({.min = 1, .max = slowdown_max}), "1",
                   "Experiment: this worker takes so many times as long to compute a step.");
  emulation.option("slow_part", &emulation_section::slow_part,
                   real_number({.min = 0, .max = 1, .min_open = true}), "1",
                   "Experiment: that slowdown comes in this part of the steps, at random.");
  emulation.option("pushes_ahead", &emulation_section::pushes_ahead,
                   whole_number<std::uint32_t>(0, pushes_ahead_max), "0",
                   "Experiment: this worker pulls nothing, computes each step from zeros, and "
                   "pushes on while at most so many steps are not acknowledged. 0: it trains.");
}

table make_table() {
  table t;
  auto node =
      t.section("node", &node_config::node, "This process: its roles and its place in the mesh.");
  add_identity(node);
  add_network(node);
  add_tls(t);
  add_roles(t);
  add_emulation(t);
  return t;
}

/// Made once: parsing a file is cheaper than this.
const table& all_options() {
  static const table made = make_table();
  return made;
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

name_list<product_rounding> names_of(product_rounding) {
  static constexpr enum_name<product_rounding> names[] = {{product_rounding::float32, "float32"},
                                                          {product_rounding::tf32, "tf32"},
                                                          {product_rounding::bfloat16, "bfloat16"}};
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
  return all_options().parse(text, name, over, name_after_roles, check_node);
}

std::string dump_node(const node_config& node) {
  return dump_ini(all_options().list(node));
}

std::string sample_node(role r) {
  std::vector<std::string> sections{"node", "tls"};
  if (r == role::server) sections.push_back("server");
  if (r == role::worker) sections.push_back("worker");
  sections.push_back("emulation");
  return sample_ini(all_options().options(),
                    "A node file of the role " + std::string(to_string(r)) +
                        ". Every option that concerns it is here; take the '#' off a line to set "
                        "it. `gradmesh node FILE` starts the node.",
                    sections, sample_values(r));
}

} // namespace gradmesh::config
