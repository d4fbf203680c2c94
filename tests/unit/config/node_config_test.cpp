#include "config/node_config.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

namespace {

const std::string worker = "[node]\nroles = worker\ncoordinator = localhost:7700\n";
const std::string tls = "[tls]\nca = ca.crt\ncertificate = n.crt\nkey = n.key\n";

std::string faults(const std::string& text) {
  return to_string(parse_node(text, "node.ini").diagnostics);
}

} // namespace

TEST_CASE("a worker needs its role and its coordinator, the rest has defaults") {
  const auto node = parse_node(worker, "node.ini");
  REQUIRE(node);
  const auto& c = *node.value;
  CHECK(c.node.roles == std::vector<role>{role::worker});
  CHECK(c.node.name == "worker");
  CHECK_FALSE(c.node.listen.has_value());
  CHECK(c.node.coordinator == endpoint{"localhost", 7700});
  CHECK(c.node.cluster == "gradmesh");
  CHECK(c.node.join_timeout == std::chrono::seconds(30));
  CHECK(c.node.node_timeout == std::chrono::seconds(0));
  CHECK(c.node.heartbeat == std::chrono::milliseconds(100));
  CHECK_FALSE(c.node.insecure);
  CHECK(c.node.log_level == log_level::info);
  CHECK(c.node.shared_memory);
  CHECK(c.node.queue_mib == 64);
  CHECK(c.node.window_mib == 64);
  CHECK(c.node.state_folder.empty());
  CHECK_FALSE(c.node.advertise.has_value());
  CHECK(c.server.shards == 1);
  CHECK(c.worker.prefetch == 2);
  CHECK(c.worker.pushes_in_flight == 2);
  CHECK(c.worker.device == device_choice{});
  CHECK(c.worker.device_memory_limit_mib == 0);
  CHECK(c.worker.device_products == product_rounding::float32);
  CHECK(c.emulation == emulation_section{});
}

TEST_CASE("every option of a node file reaches its member") {
  const auto node =
      parse_node("[node]\nname = n\nroles = server, worker\nlisten = [::1]:0\n"
                 "coordinator = head:7700\ncluster = c\njoin_timeout = 1\n"
                 "node_timeout = 2\nheartbeat_ms = 50\ninsecure = true\n"
                 "advertise = proxy:7711\nstate_folder = state/n\n"
                 "log_level = trace\nqueue_mib = 3\nwindow_mib = 5\nshared_memory = false\n"
                 "[tls]\nca = a/ca.crt\ncertificate = n.crt\nkey = n.key\n"
                 "[server]\nshards = 4\n"
                 "[worker]\nprefetch = 5\npushes_in_flight = 6\ndevice = cpu\n"
                 "device_memory_limit_mib = 9\ndevice_products = tf32\n"
                 "[emulation]\nlink_delay_ms = 7\nstep_time_ms = 8\nslowdown = 2.5\n"
                 "slow_part = 0.5\npushes_ahead = 10\n",
                 "node.ini");
  CAPTURE(to_string(node.diagnostics));
  REQUIRE(node);
  node_config expected;
  expected.node = {.name = "n",
                   .roles = {role::server, role::worker},
                   .listen = endpoint{"::1", 0},
                   .advertise = endpoint{"proxy", 7711},
                   .coordinator = endpoint{"head", 7700},
                   .cluster = "c",
                   .join_timeout = std::chrono::seconds(1),
                   .node_timeout = std::chrono::seconds(2),
                   .heartbeat = std::chrono::milliseconds(50),
                   .insecure = true,
                   .log_level = log_level::trace,
                   .shared_memory = false,
                   .queue_mib = 3,
                   .window_mib = 5,
                   .state_folder = "state/n"};
  expected.tls = {.ca = "a/ca.crt", .certificate = "n.crt", .key = "n.key"};
  expected.server = {.shards = 4};
  expected.worker = {.prefetch = 5,
                     .pushes_in_flight = 6,
                     .device = {device_choice::kind::cpu, 0},
                     .device_memory_limit_mib = 9,
                     .device_products = product_rounding::tf32};
  expected.emulation = {.link_delay = std::chrono::milliseconds(7),
                        .step_time = std::chrono::milliseconds(8),
                        .slowdown = 2.5,
                        .slow_part = 0.5,
                        .pushes_ahead = 10};
  CHECK(*node.value == expected);
  CHECK(node.value->has(role::server));
  CHECK_FALSE(node.value->has(role::coordinator));

  const auto again = parse_node(dump_node(*node.value), "dump");
  REQUIRE(again);
  CHECK(*again.value == expected);
}

TEST_CASE("a node is named after its roles, in the order of the file") {
  const auto node =
      parse_node("[node]\nroles = worker, coordinator\nlisten = localhost:7700\n", "node.ini");
  REQUIRE(node);
  CHECK(node.value->node.name == "worker+coordinator");
  REQUIRE(node.options[0].key == "name");
  CHECK(node.options[0].value == "worker+coordinator");
}

TEST_CASE("a node needs a role") {
  CHECK(faults("[node]\nname = x\n") == "node.ini: error: node.roles: required; name one or more "
                                        "of coordinator, server, worker, data-server\n");
  CHECK(faults("[node]\nroles = worker, worker\n") ==
        "node.ini:2: error: node.roles: 'worker, worker' is not a comma list of coordinator, "
        "server, worker, data-server, each at most once\n");
}

TEST_CASE("coordinators, servers and data servers must listen") {
  for (const std::string r : {"coordinator", "server", "data-server"}) {
    CAPTURE(r);
    const auto node = parse_node("[node]\nroles = " + r + "\n", "node.ini");
    REQUIRE_FALSE(node.diagnostics.empty());
    CHECK(node.diagnostics[0].text.starts_with("node.listen: required for the role " + r));
  }
}

TEST_CASE("a node that is not the coordinator must know where it is") {
  CHECK(faults("[node]\nroles = worker\n") ==
        "node.ini: error: node.coordinator: required unless node.roles have coordinator; give the "
        "address that the coordinator listens at\n");
  CHECK(faults("[node]\nroles = worker\ncoordinator = localhost:0\n") ==
        "node.ini:3: error: node.coordinator: 'localhost:0' is not HOST:PORT with a port in "
        "1..65535\n");
}

TEST_CASE("a coordinator that is told of another one is refused") {
  CHECK(faults("[node]\nroles = coordinator\nlisten = localhost:1\ncoordinator = localhost:2\n") ==
        "node.ini:4: error: node.coordinator: this node is the coordinator itself (node.roles); "
        "remove one of the two\n");
}

TEST_CASE("listening beyond loopback is refused unless insecure is set by name") {
  const auto refused = faults(worker + "listen = 0.0.0.0:7710\n");
  CHECK(refused.starts_with("node.ini:4: error: node.listen: 0.0.0.0:7710 is not a loopback "
                            "address, and there is no section [tls]"));
  CHECK(refused.find("node.insecure = true") != std::string::npos);
  CHECK(faults(worker + "listen = 0.0.0.0:7710\ninsecure = true\n") == "");
  CHECK(faults(worker + "listen = [::1]:7710\n") == "");
}

TEST_CASE("a node that does not listen advertises nothing") {
  CHECK(faults(worker + "advertise = localhost:7711\n")
            .starts_with("node.ini:4: error: node.advertise: nobody can dial a node that does not "
                         "listen"));
  CHECK(faults(worker + "listen = localhost:0\nadvertise = localhost:7711\n") == "");
  CHECK(faults(worker + "listen = localhost:0\nadvertise = localhost:0\n")
            .starts_with("node.ini:5: error: node.advertise: 'localhost:0' is not "));
}

TEST_CASE("with the three files of [tls] a node may listen anywhere") {
  const auto node = parse_node(worker + "listen = 0.0.0.0:7710\n" + tls, "node.ini");
  CAPTURE(to_string(node.diagnostics));
  REQUIRE(node);
  CHECK(node.value->tls.enabled());
  CHECK_FALSE(parse_node(worker, "node.ini").value->tls.enabled());
}

TEST_CASE("a file of [tls] that is missing is asked for by name") {
  CHECK(faults(worker + "[tls]\nca = ca.crt\nkey = n.key\n") ==
        "node.ini: error: tls.certificate: required, because another key of [tls] is set; TLS "
        "needs ca, certificate and key (gradmesh tls init and issue make them)\n");
  for (const std::string key : {"ca", "certificate", "key"}) {
    CAPTURE(key);
    const auto node = parse_node(worker + "[tls]\n" + key + " = x\n", "node.ini");
    REQUIRE(node.diagnostics.size() == 2);
    for (const auto& d : node.diagnostics)
      CHECK(d.text.find("tls." + key + ":") == std::string::npos);
  }
}

TEST_CASE("heartbeats must fit in the time after which a node is given up") {
  CHECK(faults(worker + "node_timeout = 1\nheartbeat_ms = 500\n") ==
        "node.ini:5: error: node.heartbeat_ms: 500 ms leave no room for 3 heartbeats in "
        "node.node_timeout (1 s); lower the one or raise the other\n");
  CHECK(faults(worker + "node_timeout = 3\nheartbeat_ms = 1000\n") == "");
  CHECK(faults(worker + "node_timeout = 0\nheartbeat_ms = 60000\n") == "");
}

TEST_CASE("each limit of a node is held at both ends") {
  struct limit {
    std::string name, inside, outside;
  };
  for (const auto& l :
       {limit{"server.shards", "256", "257"}, limit{"server.shards", "1", "0"},
        limit{"worker.prefetch", "64", "65"}, limit{"worker.pushes_in_flight", "1", "0"},
        limit{"node.queue_mib", "65536", "65537"}, limit{"node.join_timeout", "1", "0"}}) {
    CAPTURE(l.name);
    CHECK(parse_node(worker, "node.ini", {{}, {l.name + '=' + l.inside}}));
    const auto refused = parse_node(worker, "node.ini", {{}, {l.name + '=' + l.outside}});
    REQUIRE(refused.diagnostics.size() == 1);
    CHECK(refused.diagnostics[0].text.starts_with(l.name + ": '" + l.outside + "' is not "));
  }
}

TEST_CASE("a data-server section is unknown as long as it has no options") {
  CHECK(faults(worker + "[data-server]\n") ==
        "node.ini:4: error: unknown section [data-server]; there are [node], [tls], [server], "
        "[worker], [emulation]\n");
}

TEST_CASE("a node file that is missing names its path and the reason") {
  CHECK(to_string(load_node("/nonexistent/node.ini").diagnostics) ==
        "/nonexistent/node.ini: error: cannot open the file: No such file or directory\n");
}

TEST_CASE("a node is not made faster than it is, nor slower than anybody waits for") {
  for (const std::string nonsense :
       {"slowdown = 0.5", "slowdown = 1001", "link_delay_ms = 5001", "link_delay_ms = -1",
        "step_time_ms = 0.5", "slow_part = 0", "slow_part = 1.5", "pushes_ahead = 65537"}) {
    CAPTURE(nonsense);
    CHECK(faults(worker + "[emulation]\n" + nonsense + "\n").starts_with("node.ini:5: error: "));
  }
}

TEST_CASE("a worker's device is auto, cpu or cuda:N, and nothing else") {
  const auto with = [](const std::string& device, const std::string& more = "") {
    return parse_node("[node]\nroles = worker\ncoordinator = head:7700\n[worker]\ndevice = " +
                          device + "\n" + more,
                      "node.ini");
  };
  for (const auto* name : {"auto", "cpu", "cuda:0", "cuda:7"}) {
    CAPTURE(name);
    const auto node = with(name);
    REQUIRE(node);
    CHECK(to_string(node.value->worker.device) == name);
  }
  CHECK(with("cuda:7").value->worker.device == device_choice{device_choice::kind::cuda, 7});
  for (const auto* name : {"gpu", "cuda", "cuda:", "cuda:-1", "cuda:256", "cuda:0x", "CPU"}) {
    CAPTURE(name);
    const auto node = with(name);
    CHECK_FALSE(node);
    CHECK(to_string(node.diagnostics).find("auto, cpu or cuda:N") != std::string::npos);
  }
  const auto slow = with("cuda:0", "[emulation]\nslowdown = 2\n");
  CHECK(to_string(slow.diagnostics).find("cuda:0 cannot be made slower") != std::string::npos);
}
