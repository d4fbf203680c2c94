#include "tests/support/job_files.hpp"

#include <fmt/format.h>

namespace gradmesh::testing {

std::string libsvm_text(const learning::dataset& data) {
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    text += std::to_string(data.labels[i]);
    for (auto e = data.offsets[i]; e < data.offsets[i + 1]; ++e)
      text += fmt::format(" {}:{}", data.indices[e] + 1, data.values[e]);
    text += '\n';
  }
  return text;
}

std::string csv_text(const learning::dataset& data) {
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    text += std::to_string(data.labels[i]);
    for (std::size_t f = 0; f < data.shape.features; ++f)
      text += fmt::format(",{}", data.values[i * data.shape.features + f]);
    text += '\n';
  }
  return text;
}

std::string test_job::text() const {
  return fmt::format(
      "[job]\nname = test\nstrategy = {}\nstaleness = {}\ndelay = {}\n"
      "backup_workers = {}\ndeterministic = {}\nthreads = {}\nsvrg_epochs = {}\nepochs = {}\n"
      "steps = {}\nbatch_size = {}\nmodel_file = model.gmm\nseed = 7\n"
      "push_as = {}\npull_as = {}\nrecord = {}\n"
      "[data]\nformat = {}\ntrain = {}\ntest = {}\nserved_by = {}\n"
      "features = {}\nclasses = {}\n"
      "[model]\ntype = {}\nhidden = {}\nl2 = {}\n"
      "[optimizer]\ntype = {}\nlearning_rate = {}\n{}",
      strategy, staleness, delay, backup_workers, deterministic, threads, svrg_epochs, epochs,
      steps, batch_size, push_as, pull_as, record, format, train, test, served_by, features,
      classes, model, hidden, l2, optimizer, learning_rate, optimizer_lines);
}

} // namespace gradmesh::testing
