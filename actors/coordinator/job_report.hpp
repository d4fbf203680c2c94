#pragma once

/// How far a job is, as its followers see it: what a JobUpdate is filled from.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/mesh/message.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh::coordinator {

/// What the data servers said of the data.
struct data_summary {
  std::uint64_t train_examples = 0;
  std::uint64_t test_examples = 0;
  std::vector<std::string> class_names;
  std::string source;
};

class job_report {
public:
  explicit job_report(env::time_point now) : phase_began_(now) {}

  void begin_phase(schema::JobPhase phase, env::time_point now);
  void set_examples_total(std::uint64_t train) { examples_total_ = train; }
  /// Of the training examples so many are done for good; what workers report in the phase that
  /// comes is done beyond them.
  void set_examples_before(std::uint64_t examples) { examples_before_ = examples; }
  void add(const mesh::message<schema::PhaseProgress>& progress);
  /// Stops the phase's clock; the job has ended.
  void end(env::time_point now);

  std::uint64_t examples_done() const;
  void fill(schema::JobUpdate::Builder out, const job::job_plan& plan, env::time_point now) const;

  data_summary data;
  std::string text;        // what it waits for, or why it failed
  std::string failed_node; // the first that failed, if one did
  std::string model_file;
  std::string parameters_sha256;
  std::uint64_t parameters = 0;

private:
  struct loss_bucket {
    double sum = 0;
    std::uint64_t count = 0;
  };
  void keep_training();
  double recent_loss() const;

  schema::JobPhase phase_ = schema::JobPhase::WAITING;
  env::time_point phase_began_;
  bool ended_ = false;
  double last_phase_seconds_ = 0;
  double train_seconds_ = 0;
  std::uint64_t examples_total_ = 0;
  /// What each worker did in the training phases before this one, and up to its latest report; and
  /// its latest report in evaluation. By worker, because ranks change with the members of the job.
  /// Copies, because reading a received message is limited and these are read again and again.
  using kept_progress = std::unique_ptr<capnp::MallocMessageBuilder>;
  std::map<mesh::address, kept_progress> earlier_;
  std::map<mesh::address, kept_progress> training_;
  std::map<mesh::address, kept_progress> evaluation_;
  std::map<mesh::address, std::uint64_t> phase_examples_; // done in this training phase
  std::map<mesh::address, double> recent_loss_;           // of those that train now
  std::uint64_t examples_before_ = 0;
  std::vector<loss_bucket> loss_history_;
};

} // namespace gradmesh::coordinator
