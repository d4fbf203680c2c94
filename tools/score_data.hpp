#pragma once

/// The examples that a saved model is to be scored on, in the shape that it was trained on.

#include "actors/env/command.hpp"
#include "actors/env/disk.hpp"
#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/store/model_content.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::tools {

/// What the command line says of the data.
struct score_source {
  /// libsvm | csv | tsv | idx | debian-packages. Empty: what the model was trained on, but LIBSVM
  /// for a file to a model that was trained on debian-packages.
  std::string format;
  std::string data;     // path; debian-packages has none
  std::string labels;   // path; idx
  int label_column = 1; // csv, tsv; 1 = first, -1 = last, as in a job file
  bool header = false;  // csv, tsv
  std::string cache;    // folder; debian-packages
};

struct score_examples {
  learning::dataset examples;
  std::string source; // for people
};

/// Reads a file whole, or the test split of debian-packages. Width, classes and scale are the
/// model's. Errors: those of `learning::load_data`, also for features beyond the model's width and
/// labels that are none of its classes; `invalid_argument` for a format without its files and for
/// package lists with a section that the model does not know.
result<score_examples> load_score_examples(const score_source& source,
                                           const store::model_content& model, env::disk& disk,
                                           const env::command_runner& commands);

} // namespace gradmesh::tools
