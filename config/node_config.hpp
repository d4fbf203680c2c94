#pragma once

/// A node file: which roles one process has, where it listens, whom it joins. The members mirror
/// sections and keys; meanings, defaults and limits stand in the table in node_config.cpp and
/// nowhere else (`sample_node()` prints them).
///
/// Failure: every fault is a diagnostic, all at once. Checks that compare options with each other
/// run once each option by itself is valid.

#include "config/device.hpp"
#include "config/endpoint.hpp"
#include "config/enum_names.hpp"
#include "config/loaded.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

enum class role : std::uint8_t { coordinator, server, worker, data_server };
enum class log_level : std::uint8_t { trace, debug, info, warn, error };
/// Of the operands of products on a device; the sums are float32.
enum class product_rounding : std::uint8_t { float32, tf32, bfloat16 };

name_list<role> names_of(role);
name_list<log_level> names_of(log_level);
name_list<product_rounding> names_of(product_rounding);

struct node_section {
  std::string name; // never empty once loaded: the roles joined by '+' unless the file names it
  std::vector<config::role> roles; // at least one, without repeats, in the order of the file
  std::optional<endpoint> listen;
  std::optional<endpoint> advertise; // where others dial, if that is not `listen`
  std::optional<endpoint> coordinator;
  std::string cluster;
  std::chrono::seconds join_timeout{0};
  std::chrono::seconds node_timeout{0};   // 0: by the heartbeat
  std::chrono::milliseconds heartbeat{0}; // key heartbeat_ms
  bool insecure = false;
  config::log_level log_level{};
  bool shared_memory = false;
  std::uint64_t queue_mib = 0;  // to a peer
  std::uint64_t window_mib = 0; // from a peer
  std::string state_folder;     // empty: none

  bool operator==(const node_section&) const = default;
};

/// Paths of PEM files. All are given, or none.
struct tls_section {
  std::string ca;
  std::string certificate;
  std::string key;

  bool enabled() const { return !ca.empty(); }
  bool operator==(const tls_section&) const = default;
};

struct server_section {
  std::uint32_t shards = 0;

  bool operator==(const server_section&) const = default;
};

struct worker_section {
  std::uint32_t prefetch = 0;
  std::uint32_t pushes_in_flight = 0;
  device_choice device;
  std::uint64_t device_memory_limit_mib = 0; // 0: what the device has
  product_rounding device_products{};

  bool operator==(const worker_section&) const = default;
};

/// For experiments: what makes a node slower than it is.
struct emulation_section {
  std::chrono::milliseconds link_delay{0}; // key link_delay_ms
  std::chrono::milliseconds step_time{0};  // key step_time_ms
  double slowdown = 1;
  double slow_part = 1;
  std::uint32_t pushes_ahead = 0; // 0: a worker trains

  bool operator==(const emulation_section&) const = default;
};

struct node_config {
  node_section node;
  tls_section tls;
  server_section server;
  worker_section worker;
  emulation_section emulation;

  bool has(role r) const;
  bool operator==(const node_config&) const = default;
};

/// Reads a file (at most `max_ini_bytes`).
loaded<node_config> load_node(const std::string& path, const overrides& over = {});

/// Reads text; `name` stands for the file in diagnostics.
loaded<node_config> parse_node(std::string_view text, const std::string& name,
                               const overrides& over = {});

/// INI text with every option that `parse_node` reads back to an equal node. For a node that was
/// loaded; members changed since must be within the limits of the table.
std::string dump_node(const node_config& node);

/// The node file of a role: every option that concerns it, with help, accepted values and default.
/// The shipped config/<role>.ini is this text.
std::string sample_node(role r);

} // namespace gradmesh::config
