#pragma once

/// What is seen on the wire of a simulated mesh: a hash of it all, and statements of the
/// coordinator that must not be made twice in different words (who is in the mesh in an epoch, who
/// has which part in a revision of a job's plan).

#include "tools/sim/layout_watch.hpp"
#include "tools/simulation/simulated_wire.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace gradmesh::tools::sim {

/// XXH3 over what happened, in its order: the same for the same run, in any process and build.
class trace_hash {
public:
  void add(std::uint64_t number);
  void add(const std::string& text);
  std::uint64_t value() const { return value_; }

private:
  std::uint64_t value_ = 0;
};

/// "Push"; a number for kinds that no actor sends.
std::string kind_name(std::uint16_t kind);

class wire_watch {
public:
  void see(const simulation::delivery& d);

  trace_hash& hash() { return hash_; }
  std::uint64_t frames() const { return frames_; }
  /// The first contradiction; empty if there is none.
  const std::string& violation() const { return violation_; }
  /// Whether a primary has given up a backup that is there.
  bool has_parted() const { return has_parted_; }

private:
  /// What must always be said in the same words: a kind of message, by whom, of what.
  using statement = std::tuple<std::uint16_t, mesh::node_uuid, std::string>;
  void said(const statement& what, const mesh::frame& f);

  trace_hash hash_;
  layout_watch layouts_;
  std::uint64_t frames_ = 0;
  std::map<statement, std::uint64_t> said_; // the hash of the words
  std::string violation_;
  bool has_parted_ = false;
};

} // namespace gradmesh::tools::sim
