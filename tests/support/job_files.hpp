#pragma once

/// Job files and data files for tests.

#include "actors/learning/dataset.hpp"

#include <string>

namespace gradmesh::testing {

/// Examples as a LIBSVM file (1-based features); values are written so that they read back equal.
std::string libsvm_text(const learning::dataset& data);
/// Dense examples as a CSV file, label first.
std::string csv_text(const learning::dataset& data);

/// A job file on such data; the keys below are set by tests, all others have their defaults.
struct test_job {
  std::string strategy = "bsp";
  std::size_t staleness = 3;
  std::size_t delay = 8;
  std::size_t backup_workers = 0;
  std::string deterministic = "true";
  std::size_t threads = 1;
  std::size_t svrg_epochs = 0;
  std::size_t epochs = 2;
  std::size_t steps = 0;
  std::size_t batch_size = 64;
  std::string format = "libsvm";
  std::string train = "train.libsvm";
  std::string test = "test.libsvm";
  std::string served_by = "data-servers";
  std::size_t features = 0;
  std::size_t classes = 0;
  std::string model = "softmax";
  std::string hidden = {};
  double l2 = 0;
  std::string optimizer = "sgd";
  double learning_rate = 0.1;
  std::string optimizer_lines = {}; // more of [optimizer]
  std::string push_as = "float32";
  std::string pull_as = "float32";
  std::string record = {};

  std::string text() const;
};

} // namespace gradmesh::testing
