#pragma once

/// What threads in a worker's step bring: the same examples, in the same batches, computed by the
/// gradient of the whole batch (job.threads = 1), by HOGWILD! on one thread, and by HOGWILD! on
/// several, in turn. In one process and without a mesh: what is timed is what a worker's compute
/// stage does, from the pulled parameters to the gradient that is pushed.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"

#include <functional>
#include <string>
#include <vector>

namespace gradmesh::tools::bench {

struct threads_options {
  std::string data_name;
  learning::dataset data; // in the order in which it is gone through
  std::size_t batch = 0;
  float learning_rate = 0; // of a batch's mean gradient, as in a job file
  float l2 = 0;
  unsigned threads = 2;
  unsigned epochs = 1;
  unsigned runs = 7;
  std::function<void(const std::string&)> progress;
};

/// Medians over the runs.
struct threads_row {
  std::string data;
  std::string path; // "minibatch", "hogwild"
  unsigned threads = 1;
  std::size_t batch = 0;
  double examples_per_s = 0;
  double spread = 0;  // (greatest - least) / median of examples_per_s
  double speedup = 0; // median over the runs of this run's examples_per_s by those of one thread
  double loss = 0;    // mean over the training set after the last epoch, in nats
  unsigned runs = 0;
};

/// Errors: those of the models, and `limit_exceeded` for lack of threads.
result<std::vector<threads_row>> run_threads_bench(const threads_options& options);

std::string to_table(const std::vector<threads_row>& rows);
std::string to_json(const std::vector<threads_row>& rows);

} // namespace gradmesh::tools::bench
