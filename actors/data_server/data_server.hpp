#pragma once

/// A data server: reads a data set once and hands out batches of it, as the lease book says.
/// Interface and messages: actors.hpp and schema/data.capnp.
///
/// Several data servers hold the same set; each hands out its share of the batches.
/// Failure: data that cannot be read is refused with the file, the place and the reason.
/// Reading takes as long as it takes and keeps this actor (only) busy: it runs on a thread of its
/// own.

#include "actors/actors.hpp"
#include "actors/data_server/lease_book.hpp"
#include "actors/node/context.hpp"

#include <optional>
#include <string>

namespace gradmesh::data_server {

struct data_server_state {
  node::context_ptr context;
  mesh::service_id service;
  std::optional<learning::loaded_data> loaded;
  config::data_section loaded_from; // [data] that `loaded` was read by
  std::uint64_t loaded_seed = 0;
  std::optional<job::job_plan> plan;
  mesh::node_uuid planner{}; // whose plan it is
  std::uint32_t phase = 0;
  std::optional<lease_book> book;
  bool evaluating = false;
  /// Nothing of this step or a later one is handed out before the coordinator has said where the
  /// phase ends; who asks for it waits.
  std::optional<std::uint64_t> hold_from;
  std::vector<message<schema::LeaseBatch>> held;

  result<void> load(const message<schema::LoadData>& request);
  result<void> prepare(const message<schema::JobPlan>& request);
  result<void> start(const message<schema::StartPhase>& request);
  result<void> limit(const message<schema::LimitPhase>& request);
  result<void> lease(const message<schema::LeaseBatch>& request);
  void end(std::uint64_t job_id);
  void report(const std::string& state) const;

  const learning::dataset& set() const {
    return evaluating ? loaded->data.test : loaded->data.train;
  }
};

data_server_actor::behavior_type
data_server(data_server_actor::stateful_pointer<data_server_state> self, node::context_ptr context,
            mesh::service_id service);

} // namespace gradmesh::data_server
