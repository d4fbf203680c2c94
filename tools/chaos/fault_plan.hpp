#pragma once

/// Which fault comes next, drawn from a seed. Plain code.

#include "actors/env/random.hpp"
#include "actors/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::tools::chaos {

enum class fault_kind : std::uint8_t {
  kill,      // SIGKILL
  stop,      // SIGSTOP, and SIGCONT after a while
  partition, // the node's links are held, one way or both, or broken
  disk_full  // no file of the node can grow for a while
};
/// What a partition does to the node's links.
enum class cut_shape : std::uint8_t { both_ways, arriving, leaving, broken };

inline constexpr fault_kind all_fault_kinds[] = {fault_kind::kill, fault_kind::stop,
                                                 fault_kind::partition, fault_kind::disk_full};

std::string_view to_string(fault_kind kind);
std::string_view to_string(cut_shape shape);
/// "kill,stop": each at most once. Errors: `invalid_argument`.
result<std::vector<fault_kind>> parse_fault_kinds(const std::string& text);

struct fault {
  fault_kind kind{};
  std::string node;
  std::chrono::milliseconds lasts{0}; // 0: what cannot be undone
  cut_shape shape{};                  // of a partition
};
/// "stop for 350 ms", "partition (both ways) for 1200 ms".
std::string describe(const fault& f);

/// A role and its nodes: each role is hit as often as any other, however many nodes it has.
struct victims {
  std::vector<std::string> coordinators, servers, data_servers, workers;
};

enum class victim_role : std::uint8_t { coordinator, server, data_server, worker };
inline constexpr victim_role all_victim_roles[] = {victim_role::coordinator, victim_role::server,
                                                   victim_role::data_server, victim_role::worker};
std::string_view to_string(victim_role role);
/// "server,worker": each at most once. Errors: `invalid_argument`.
result<std::vector<victim_role>> parse_victim_roles(const std::string& text);
/// Those with one of the roles.
victims only(const victims& all, const std::vector<victim_role>& roles);
/// Whether faults of the kind hit nodes of the role.
bool hits(fault_kind kind, victim_role role);

class fault_plan {
public:
  /// Of `kinds` there is at least one, and somebody whom each can hit. `longest`: of faults that
  /// end by themselves, at least shortest_fault.
  fault_plan(std::uint64_t seed, std::vector<fault_kind> kinds, const victims& who,
             std::chrono::milliseconds longest);

  fault next();
  /// How long to wait before the next one: half to one and a half times the interval.
  std::chrono::milliseconds pause(std::chrono::milliseconds interval);

private:
  const std::string& draw_node(fault_kind kind);

  env::random_stream random_;
  std::vector<fault_kind> kinds_;
  std::vector<std::vector<std::string>> roles_; // those that have nodes; the coordinator first
  std::size_t with_disk_ = 0;                   // so many of them write files: the first
  std::chrono::milliseconds longest_;
};

inline constexpr std::chrono::milliseconds shortest_fault{50};

} // namespace gradmesh::tools::chaos
