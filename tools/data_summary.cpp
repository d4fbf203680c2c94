#include "tools/data_summary.hpp"

#include "tools/figures.hpp"
#include "tools/job_json.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t listed_max = 12;

const char* layout_name(learning::layout layout) {
  return layout == learning::layout::sparse ? "sparse" : "dense";
}

std::string class_name(const data_summary& summary, std::size_t label) {
  return label < summary.class_names.size() ? summary.class_names[label] : std::to_string(label);
}

} // namespace

double data_summary::density() const {
  const double all = static_cast<double>(rows) * shape.features;
  return all > 0 ? static_cast<double>(nonzero) / all : 0;
}

data_summary summarise(const learning::dataset& data, std::vector<std::string> class_names,
                       std::string source) {
  data_summary summary;
  summary.source = std::move(source);
  summary.shape = data.shape;
  summary.rows = data.size();
  summary.class_names = std::move(class_names);
  summary.examples_of.resize(data.shape.classes);
  for (const auto label : data.labels)
    ++summary.examples_of.at(static_cast<std::size_t>(label));
  const auto zeros_left_out = static_cast<double>(data.values.size()) <
                              static_cast<double>(data.size()) * data.shape.features;
  if (!zeros_left_out && !data.values.empty())
    summary.least = summary.greatest = data.values.front();
  for (const float value : data.values) {
    if (value != 0) ++summary.nonzero;
    summary.least = std::min(summary.least, value);
    summary.greatest = std::max(summary.greatest, value);
  }
  return summary;
}

std::string summary_text(const data_summary& summary) {
  auto text = fmt::format(
      "source    {}\n"
      "rows      {}\n"
      "features  {} ({})\n"
      "values    {} nonzero ({}, {:.1f} a row), {} to {}\n"
      "classes   {}\n\n",
      summary.source, grouped(summary.rows), grouped(summary.shape.features),
      layout_name(summary.shape.kind), grouped(summary.nonzero), percent(summary.density(), 3),
      summary.rows > 0 ? static_cast<double>(summary.nonzero) / static_cast<double>(summary.rows)
                       : 0.0,
      summary.least, summary.greatest, grouped(summary.shape.classes));
  std::vector<std::size_t> by_size(summary.examples_of.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) {
    return summary.examples_of[a] > summary.examples_of[b];
  });
  table labels{{{"CLASS"}, {"EXAMPLES", true}, {"SHARE", true}}, {}};
  for (std::size_t i = 0; i < std::min(listed_max, by_size.size()); ++i) {
    const auto examples = summary.examples_of[by_size[i]];
    const auto share = static_cast<double>(examples) / static_cast<double>(summary.rows);
    labels.rows.push_back(
        {class_name(summary, by_size[i]), std::to_string(examples), percent(share, 1)});
  }
  text += join_lines(render(labels));
  if (by_size.size() > listed_max)
    text += fmt::format("and {} smaller classes\n", by_size.size() - listed_max);
  return text;
}

std::string summary_json(const data_summary& summary) {
  auto labels = json::array();
  for (std::size_t label = 0; label < summary.examples_of.size(); ++label)
    labels.push_back(
        {{"class", class_name(summary, label)}, {"examples", summary.examples_of[label]}});
  return to_line({{"source", summary.source},
                  {"layout", layout_name(summary.shape.kind)},
                  {"rows", summary.rows},
                  {"features", summary.shape.features},
                  {"classes", summary.shape.classes},
                  {"nonzero", summary.nonzero},
                  {"density", summary.density()},
                  {"value_min", summary.least},
                  {"value_max", summary.greatest},
                  {"labels", std::move(labels)}});
}

} // namespace gradmesh::tools
