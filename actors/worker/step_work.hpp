#pragma once

/// One step on its way through a worker: leased, pulled, computed, pushed. Used by one actor at a
/// time: the worker, then the compute actor, then the worker again.

#include "actors/learning/model.hpp"
#include "actors/mesh/message.hpp"
#include "actors/parameters/slicer.hpp"

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

namespace gradmesh::worker {

/// For each sparse table the rows of a step's keys.
using table_rows = std::pmr::vector<std::pmr::vector<float>>;

struct step_work {
  /// Parameters are received into memory of `from`, from which a device copies them; null: into
  /// that of everybody.
  explicit step_work(std::shared_ptr<std::pmr::memory_resource> from = nullptr)
      : memory(std::move(from)), dense(memory ? memory.get() : std::pmr::get_default_resource()),
        rows(dense.get_allocator()) {}

  std::shared_ptr<std::pmr::memory_resource> memory;

  // Filled in when the batch has come.
  mesh::message<schema::Batch> batch;
  learning::example_view examples; // looks into `batch`
  std::vector<std::uint32_t> piece_ends;
  std::uint32_t epoch = 0;
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0; // of the step, in the batch
  float scale = 0;               // of this step's gradients; 0: evaluate only
  bool takes_snapshot = false;
  learning::step_plan plan;
  std::vector<parameters::slice> slices; // by shard

  // Filled in when its parameters are asked for, and as pulls are answered.
  std::uint64_t sequence = 0; // of its push
  std::pmr::vector<float> dense;
  /// By block, as they come, if a device is to tell what it has already; else empty.
  std::vector<learning::dense_version> versions;
  std::vector<float> snapshot; // SVRG: of a phase's first step that needs it; else empty
  table_rows rows;
  std::vector<std::uint64_t> read_clock; // by shard
  std::size_t pulls_missing = 0;
  std::uint64_t pull_number = 0; // of those of its phase
  /// By shard and part: the first of the worker's own steps that the values lack, and how many of
  /// its steps they have; `step` if they have all before this one.
  std::vector<std::vector<std::uint64_t>> own_missing;
  std::vector<std::vector<std::uint64_t>> own_steps;

  // Filled in when it is to be computed: the worker's own steps that some values lack, in order.
  // They are added before anything else happens, and then there are none.
  std::vector<std::shared_ptr<const step_work>> own_writes;

  // Filled in by the compute actor.
  learning::step_metrics metrics;
  std::vector<std::vector<mesh::writable_body>> pushes; // by shard and part; empty when evaluating
  double compute_seconds = 0;
  std::optional<error> failure;
};

} // namespace gradmesh::worker
