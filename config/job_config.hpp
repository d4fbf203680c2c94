#pragma once

/// A job file: what to train, on which data, with which model, optimizer and mesh. The members
/// mirror sections and keys. Meanings, defaults and limits stand in the table in job_config.cpp
/// and nowhere else (`sample_job()` prints them); a default-constructed job_config is *not* the
/// default job, `parse_job("", name)` is.
///
/// Failure: every fault is a diagnostic, all at once. Checks that compare options with each other
/// run once each option by itself is valid.

#include "config/endpoint.hpp"
#include "config/enum_names.hpp"
#include "config/loaded.hpp"
#include "config/rule_names.hpp"
#include "config/value_types.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::config {

enum class strategy : std::uint8_t { bsp, ssp, bounded_delay, async };
enum class data_format : std::uint8_t { debian_packages, libsvm, csv, tsv, idx };
enum class data_service : std::uint8_t { data_servers, partitioned };
enum class model_kind : std::uint8_t { softmax, mlp };
/// How the learning rate changes from step to step.
enum class rate_decay : std::uint8_t { constant, step, cosine, inverse_sqrt };
enum class staleness_scaling : std::uint8_t { none, inverse };
/// How values travel between workers and servers.
enum class value_format : std::uint8_t { float32, float16, bfloat16, int8 };
/// What the bulk lanes between the processes of one machine go through.
enum class lane_kind : std::uint8_t { shm, tcp, tls };

name_list<strategy> names_of(strategy);
name_list<data_format> names_of(data_format);
name_list<data_service> names_of(data_service);
name_list<model_kind> names_of(model_kind);
name_list<rate_decay> names_of(rate_decay);
name_list<staleness_scaling> names_of(staleness_scaling);
name_list<lane_kind> names_of(lane_kind);
name_list<value_format> names_of(value_format);

struct job_section {
  std::string name;
  config::strategy strategy{};
  std::uint32_t staleness = 0;      // ssp
  std::uint32_t delay = 0;          // bounded-delay
  std::uint32_t backup_workers = 0; // bsp
  std::uint32_t epochs = 0;
  std::uint32_t batch_size = 0; // examples in one step of the whole job
  bool deterministic = false;
  bool overlap = false;
  std::uint32_t threads = 0;     // of a worker's step; above 1: HOGWILD!
  std::uint32_t svrg_epochs = 0; // between two snapshots; 0: none are taken
  value_format push_as{};
  value_format pull_as{};
  std::uint32_t micro_batches = 0;
  std::uint64_t seed = 0;
  std::string model_file;  // empty: do not save
  std::string record;      // empty: do not
  std::uint64_t steps = 0; // 0: as many as the epochs give
  std::chrono::seconds request_timeout{0};
  std::uint32_t replication = 0; // copies of each shard, 1 or 2
  std::chrono::seconds wait{0};

  bool operator==(const job_section&) const = default;
};

struct data_section {
  data_format format{};
  data_service served_by{};
  std::string train;
  std::string test;         // may be empty
  std::string train_labels; // idx
  std::string test_labels;  // idx
  std::uint64_t test_last = 0;
  double test_fraction = 0;
  std::uint32_t features = 0; // 0: from the data
  std::uint32_t classes = 0;  // 0: from the data
  int label_column = 0;       // csv, tsv; 1: first, -1: last
  bool header = false;        // csv, tsv
  double scale = 0;
  std::string cache; // debian-packages; empty: the tools decide

  bool operator==(const data_section&) const = default;
};

struct model_section {
  model_kind type{};
  std::vector<std::uint32_t> hidden; // widths of the hidden layers
  double l2 = 0;

  bool operator==(const model_section&) const = default;
};

struct optimizer_section {
  std::string type;               // see rule_names.hpp
  std::vector<table_rule> tables; // those with another rule than `type`
  double learning_rate = 0;
  rate_decay schedule{};
  std::uint64_t warmup_steps = 0;
  std::uint64_t decay_steps = 0;
  double decay_factor = 0;
  double min_rate = 0;
  config::staleness_scaling staleness_scaling{};
  double momentum = 0;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double rho = 0;
  double weight_decay = 0;
  double ftrl_beta = 0;
  double ftrl_l1 = 0;
  double ftrl_l2 = 0;

  bool operator==(const optimizer_section&) const = default;
};

struct mesh_section {
  std::uint32_t servers = 0;
  std::uint32_t workers = 0;
  std::uint32_t data_servers = 0; // 0 only if data.served_by is partitioned
  endpoint listen;                // of the coordinator; a loopback address
  std::uint32_t partitions = 0;
  lane_kind lane{};
  std::string log_dir;
  std::uint32_t restarts = 0; // of a process within restart_window; 0: none
  std::chrono::seconds restart_window{0};

  bool operator==(const mesh_section&) const = default;
};

struct checkpoint_section {
  std::string folder;               // empty: no checkpoints
  std::chrono::seconds interval{0}; // 0: only when asked for
  std::uint64_t keep = 0;
  std::uint64_t rate_mb_per_s = 0; // 10^6 bytes; 0: as fast as they come

  bool operator==(const checkpoint_section&) const = default;
};

/// For experiments: what `gradmesh run` makes its nodes slower by.
struct mesh_emulation_section {
  std::chrono::milliseconds link_delay{0}; // key link_delay_ms
  std::chrono::milliseconds step_time{0};  // key step_time_ms
  std::vector<rank_factor> slow_workers;
  double slow_part = 1;

  bool operator==(const mesh_emulation_section&) const = default;
};

struct job_config {
  job_section job;
  data_section data;
  model_section model;
  optimizer_section optimizer;
  mesh_section mesh;
  checkpoint_section checkpoint;
  mesh_emulation_section emulation;

  bool operator==(const job_config&) const = default;
};

/// Reads a file (at most `max_ini_bytes`).
loaded<job_config> load_job(const std::string& path, const overrides& over = {});

/// Reads text; `name` stands for the file in diagnostics. The text may come from a peer.
loaded<job_config> parse_job(std::string_view text, const std::string& name,
                             const overrides& over = {});

/// INI text with every option that `parse_job` reads back to an equal job. For a job that was
/// loaded; members changed since must be within the limits of the table.
std::string dump_job(const job_config& job);

/// A job file that documents every option: help, accepted values, default.
std::string sample_job();

} // namespace gradmesh::config
