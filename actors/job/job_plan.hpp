#pragma once

/// What every member of a job must agree on: the job file, the shape of the data, the tables, who
/// takes part, and how a step is cut into pieces. The coordinator makes it, the wire form is
/// schema::JobPlan.

#include "actors/error.hpp"
#include "actors/job/piece_set.hpp"
#include "actors/job/shard_layout.hpp"
#include "actors/learning/data/load.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/learning/model.hpp"
#include "actors/mesh/message.hpp"
#include "actors/parameters/body_layout.hpp"
#include "actors/parameters/optimizer.hpp"
#include "actors/parameters/partition_map.hpp"
#include "actors/parameters/rate_schedule.hpp"
#include "actors/parameters/transfer_codec.hpp"
#include "config/job_config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::job {

struct job_plan {
  std::uint64_t job_id = 0;
  config::job_config config;
  learning::data_shape shape;
  std::vector<learning::table_spec> tables;
  std::uint32_t partitions = 0;
  shard_layout layout;        // of the shards, in order of their partitions
  std::vector<place> workers; // in rank order
  /// Data server d serves the workers r with r % D == d first. With partitioned data, d is worker
  /// d's own and serves nobody else.
  std::vector<place> data_servers;
  std::uint32_t pieces = 0;   // of a step; see schema/data.capnp
  std::uint64_t examples = 1; // in the training set
  std::uint64_t steps_per_epoch = 0;
  std::uint64_t first_step = 0; // where training begins; `steps`: it is over
  std::uint64_t steps = 0;      // where it ends
  std::uint32_t revision = 0;   // counts the changes of the job's options and members
  piece_set done;               // async: pieces that are not handed out again
  bool begins = true;           // nothing was trained

  /// Whether each worker has its own part of each step. Otherwise batches go to whoever asks.
  bool by_rank() const { return config.job.strategy != config::strategy::async; }
  /// Whether the shards apply a step as one sum. Otherwise they apply each push by itself.
  bool sums_steps() const {
    return config.job.strategy == config::strategy::bsp ||
           (config.job.strategy == config::strategy::ssp && config.job.staleness == 0);
  }
  /// Whether a worker adds its own pushes to what it reads, instead of waiting until they are
  /// applied: under ssp, where it knows what the shards do with them (w -= rate g, at a rate that
  /// follows from the step), and pushes once a step.
  bool adds_own_writes(std::uint32_t rank) const;
  /// Workers whose push a step can do without.
  std::uint32_t backup_workers() const {
    return config.job.strategy == config::strategy::bsp ? config.job.backup_workers : 0;
  }
  /// Whether a step belongs to an epoch that takes a snapshot (SVRG) and changes no parameter.
  bool takes_snapshot(std::uint64_t step) const {
    const std::uint64_t between = config.job.svrg_epochs;
    return between > 0 && step / steps_per_epoch % (between + 1) == 0;
  }
  bool partitioned() const { return config.data.served_by == config::data_service::partitioned; }
};

/// The pieces [first, last) of each step that a worker owns where workers take steps by rank.
struct piece_range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
piece_range pieces_of_worker(const job_plan& plan, std::uint32_t rank);

/// Training examples of a step, of the steps before one, and of a piece by its number in the job.
std::uint64_t examples_of_step(const job_plan& plan, std::uint64_t step);
std::uint64_t examples_before(const job_plan& plan, std::uint64_t step);
std::uint64_t examples_of_piece(const job_plan& plan, std::uint64_t piece);

/// The data servers that a worker leases from, in the order in which it asks them.
std::vector<place> data_servers_of_worker(const job_plan& plan, std::uint32_t rank);

mesh::draft<schema::JobPlan> encode(const job_plan& plan);

/// Errors: `malformed_message` with the field that makes no sense.
result<job_plan> decode(schema::JobPlan::Reader plan);

/// Where a service stands in a list of the plan, or the list's size if it does not take part.
std::size_t index_of(const std::vector<place>& places, const mesh::address& who);

result<parameters::partition_map> make_partition_map(const job_plan& plan);

learning::data_source data_source_of(const config::job_config& config);
learning::model_options model_options_of(const config::job_config& config);
parameters::optimizer_options optimizer_options_of(const job_plan& plan);
parameters::rate_schedule rate_schedule_of(const config::job_config& config);

parameters::transfer_format transfer_format_of(config::value_format format);

/// A job file that came as text. Errors: `invalid_config` with all diagnostics.
result<config::job_config> parse_config(const std::string& text);

} // namespace gradmesh::job
