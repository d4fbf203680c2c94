#pragma once

/// From what a job file says under `[data]` to examples in memory.
///
/// Failure: an unreadable or malformed file gives an error that names the file and the line (text)
/// or byte (IDX); nothing is skipped or repaired in silence.
/// Limits: `file_bytes_max` a file, before and after decompression; fewer than 2^32 entries and
/// 2^31 rows in a set.

#include "actors/env/command.hpp"
#include "actors/env/disk.hpp"
#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::learning {

/// `[data]` of a job file. Every file may be gzip-compressed.
struct data_source {
  /// debian-packages | libsvm | csv | tsv | idx
  std::string format = "debian-packages";
  /// Paths. For `idx` the images. An empty `test` and neither of the two keys below: no test set.
  std::string train;
  std::string test;
  /// `idx`: the labels that belong to `train` and `test`.
  std::string train_labels;
  std::string test_labels;
  /// Without a test file: the last so many rows of `train` are the test set, or about this
  /// share of them in [0, 1), chosen by a stable hash of row number and seed.
  std::uint64_t test_last = 0;
  double test_fraction = 0;
  std::uint64_t seed = 0;
  /// Declared sizes, 0: as found. With declared `classes` a label is the class number itself.
  std::uint32_t features = 0;
  std::uint32_t classes = 0;
  /// Classes known beforehand, e.g. of a saved model: names that are integers are label values,
  /// otherwise a label is the number of its class.
  std::vector<std::string> class_names;
  /// `csv`, `tsv`: the column with the label, 1 = first, -1 = last; whether line 1 is a heading.
  int label_column = 1;
  bool header = false;
  /// Feature values of a file are multiplied by this.
  float scale = 1;
  /// Folder in which `debian-packages` keeps what it parsed; empty: parse each time.
  std::string cache;
};

struct loaded_data {
  split_dataset data;
  /// Where the examples came from, for people.
  std::string source;
};

/// Reads the data that `source` describes. `commands` is asked for the package lists.
/// Errors: `invalid_argument` (a key of `source` is wrong or does not fit the format), `not_found`,
/// `io_failed`, `malformed_data`, `limit_exceeded`.
result<loaded_data> load_data(const data_source& source, env::disk& disk,
                              const env::command_runner& commands);

} // namespace gradmesh::learning
