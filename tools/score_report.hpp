#pragma once

/// The score of a model, for people and for machines.

#include "actors/store/model_content.hpp"
#include "tools/model_scorer.hpp"

#include <string>

namespace gradmesh::tools {

struct scored_files {
  std::string model;
  std::string data;
};

std::string score_text(const model_score& score, const store::model_content& model,
                       const scored_files& files);

/// One object on one line: model_file, job, model_kind, source, examples, correct, accuracy,
/// mean_loss (null if not finite), classes: [{class, examples, correct, accuracy, mean_loss}],
/// worst_classes: [{class, examples, accuracy, mostly_taken_for, mostly_taken_for_examples}].
std::string score_json(const model_score& score, const store::model_content& model,
                       const scored_files& files);

} // namespace gradmesh::tools
