#include "tools/score_report.hpp"

#include "tools/figures.hpp"
#include "tools/job_json.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;

std::string class_name(const store::model_content& model, std::uint32_t label) {
  return label < model.class_names.size() ? model.class_names[label] : std::to_string(label);
}

json mean_loss(double sum, std::uint64_t examples) {
  const double mean = sum / static_cast<double>(examples);
  return std::isfinite(mean) ? json(mean) : json();
}

} // namespace

std::string score_text(const model_score& score, const store::model_content& model,
                       const scored_files& files) {
  auto text = fmt::format("model     {} ({}, job {})\n"
                          "data      {}\n"
                          "examples  {}\n"
                          "accuracy  {} ({} correct)\n"
                          "loss      {}\n",
                          files.model, model.model_kind, model.job_name, files.data,
                          grouped(score.total.examples), percent(score.accuracy(), 2),
                          grouped(score.total.correct), fixed(score.mean_loss(), 4));
  if (score.worst.empty()) return text;
  table worst{
      {{"CLASS"}, {"EXAMPLES", true}, {"ACCURACY", true}, {"MOSTLY_TAKEN_FOR"}, {"TIMES", true}},
      {}};
  for (const auto& [c, mostly] : score.worst)
    worst.rows.push_back({class_name(model, c.label), std::to_string(c.metrics.examples),
                          percent(c.accuracy(), 1),
                          mostly ? class_name(model, mostly->taken_for) : "",
                          mostly ? std::to_string(mostly->examples) : ""});
  return text + "\nworst classes:\n" + join_lines(render(worst));
}

std::string score_json(const model_score& score, const store::model_content& model,
                       const scored_files& files) {
  auto classes = json::array();
  for (const auto& c : score.classes)
    classes.push_back({{"class", class_name(model, c.label)},
                       {"examples", c.metrics.examples},
                       {"correct", c.metrics.correct},
                       {"accuracy", c.accuracy()},
                       {"mean_loss", mean_loss(c.metrics.loss_sum, c.metrics.examples)}});
  auto worst = json::array();
  for (const auto& [c, mostly] : score.worst)
    worst.push_back(
        {{"class", class_name(model, c.label)},
         {"examples", c.metrics.examples},
         {"accuracy", c.accuracy()},
         {"mostly_taken_for", mostly ? json(class_name(model, mostly->taken_for)) : json()},
         {"mostly_taken_for_examples", mostly ? json(mostly->examples) : json()}});
  return to_line({{"model_file", files.model},
                  {"job", model.job_name},
                  {"model_kind", model.model_kind},
                  {"source", files.data},
                  {"examples", score.total.examples},
                  {"correct", score.total.correct},
                  {"accuracy", score.accuracy()},
                  {"mean_loss", mean_loss(score.total.loss_sum, score.total.examples)},
                  {"classes", std::move(classes)},
                  {"worst_classes", std::move(worst)}});
}

} // namespace gradmesh::tools
