#include "actors/store/model_file.hpp"
#include "tools/cache_folder.hpp"
#include "tools/command.hpp"
#include "tools/model_scorer.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"
#include "tools/score_data.hpp"
#include "tools/score_report.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

constexpr std::uint64_t model_bytes_max = std::uint64_t{64} << 30;

result<store::model_content> load_model(const std::string& path, env::disk& disk) {
  const auto bytes = disk.read(path, model_bytes_max);
  if (!bytes) return bytes.failure();
  auto model = store::read_model(std::as_bytes(std::span(*bytes)));
  if (!model) return {model.failure().code, path + ": " + model.failure().text};
  return model;
}

/// Prints the score. Errors: what was wrong with model or data.
result<void> score_files(const std::string& path, const score_source& source, bool as_json) {
  const auto disk = env::make_disk();
  const auto model = load_model(path, *disk);
  if (!model) return model.failure();
  const auto data = load_score_examples(source, *model, *disk, env::run_command);
  if (!data) return data.failure();
  const auto score = score_model(*model, data->examples.view());
  if (!score) return {score.failure().code, data->source + ": " + score.failure().text};
  const scored_files files{path, data->source};
  std::cout << (as_json ? score_json(*score, *model, files) + '\n'
                        : score_text(*score, *model, files));
  return {};
}

exit_code check_and_score(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("eval", "-o '" + form + "' is neither table nor json");
  const score_source source{.format = values["format"].as<std::string>(),
                            .data = values["data"].as<std::string>(),
                            .labels = values["labels"].as<std::string>(),
                            .label_column = values["label-column"].as<int>(),
                            .header = values["header"].as<bool>(),
                            .cache = cache_folder()};
  if (!is_one_of(source.format, {"", "libsvm", "csv", "tsv", "idx", "debian-packages"}))
    return usage_error("eval", "--format '" + source.format +
                                   "' is not one of libsvm, csv, tsv, idx, debian-packages");
  const auto done = score_files(values["MODEL"].as<std::string>(), source, form == "json");
  return done ? exit_ok : report_failure("eval", done.failure());
}

} // namespace

exit_code eval_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh eval MODEL --data FILE [options]",
      .description = "Scores a saved model on data: accuracy, mean loss, and what the classes that "
                     "it knows worst\nare taken for. Without --data, a model that was trained on "
                     "debian-packages is scored on\ntheir test split.",
      .positional = {"MODEL"},
      .required = 1};
  options.named.add_options()("data,d", po::value<std::string>()->default_value(""),
                              "the examples; with idx, the images")(
      "labels", po::value<std::string>()->default_value(""), "idx: the labels")(
      "format", po::value<std::string>()->default_value(""),
      "libsvm, csv, tsv, idx or debian-packages; default: what the model was trained on")(
      "label-column", po::value<int>()->default_value(1),
      "csv, tsv: the column of the label; 1 = first, -1 = last")("header", po::bool_switch(),
                                                                 "csv, tsv: skip the first line")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, check_and_score);
}

} // namespace gradmesh::tools
