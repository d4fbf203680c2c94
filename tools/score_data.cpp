#include "tools/score_data.hpp"

#include "actors/learning/data/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gradmesh::tools {
namespace {

constexpr const char* debian_packages = "debian-packages";

/// The factor that the features of a file were multiplied by when the model was trained.
result<float> scale_of(const store::model_content& model) {
  // Package descriptions are not scaled, so the files that `gradmesh data` makes of them are not.
  if (model.data_scale.empty() || model.data_format == debian_packages) return 1.0F;
  float scale = 0;
  const char* end = model.data_scale.data() + model.data_scale.size();
  const auto parsed = std::from_chars(model.data_scale.data(), end, scale);
  if (parsed.ec != std::errc{} || parsed.ptr != end || !std::isfinite(scale) || scale == 0)
    return {errc::malformed_model,
            fmt::format("the model says that its data was scaled by '{}', which is no factor",
                        model.data_scale)};
  return scale;
}

std::string format_of(const score_source& source, const store::model_content& model) {
  if (!source.format.empty()) return source.format;
  if (model.data_format == debian_packages && !source.data.empty()) return "libsvm";
  return model.data_format;
}

result<void> check(const score_source& source, const std::string& format) {
  if (format == debian_packages && !source.data.empty())
    return {errc::invalid_argument,
            "debian-packages finds its data itself: leave out --data, or name the file's format"};
  if (format != debian_packages && source.data.empty())
    return {errc::invalid_argument,
            fmt::format("format {} needs a file: name it with --data", format)};
  if ((format == "idx") == source.labels.empty())
    return {errc::invalid_argument, format == "idx"
                                        ? "format idx needs the file of the labels: --labels FILE"
                                        : "--labels belongs to format idx alone"};
  return {};
}

/// The sections of package lists change from release to release: gives every label the number that
/// its class has in the model.
result<void> relabel(learning::dataset& examples, const std::vector<std::string>& names,
                     const std::vector<std::string>& model_names) {
  std::vector<std::int32_t> label_of;
  for (const auto& name : names) {
    const auto found = std::find(model_names.begin(), model_names.end(), name);
    label_of.push_back(
        found == model_names.end() ? -1 : static_cast<std::int32_t>(found - model_names.begin()));
  }
  for (auto& label : examples.labels) {
    const auto& name = names[static_cast<std::size_t>(label)];
    label = label_of[static_cast<std::size_t>(label)];
    if (label < 0)
      return {errc::invalid_argument,
              fmt::format("the package lists have a section '{}' that the model does not know; "
                          "train a new model on them",
                          name)};
  }
  examples.shape.classes = static_cast<std::uint32_t>(model_names.size());
  return {};
}

} // namespace

result<score_examples> load_score_examples(const score_source& source,
                                           const store::model_content& model, env::disk& disk,
                                           const env::command_runner& commands) {
  const auto format = format_of(source, model);
  if (auto checked = check(source, format); !checked) return checked.failure();
  const auto scale = scale_of(model);
  if (!scale) return scale.failure();
  learning::data_source from;
  from.format = format;
  from.train = source.data;
  from.train_labels = source.labels;
  from.features = model.shape.features;
  from.classes = model.shape.classes;
  from.class_names = model.class_names;
  from.label_column = source.label_column;
  from.header = source.header;
  from.scale = *scale;
  from.cache = source.cache;
  auto loaded = learning::load_data(from, disk, commands);
  if (!loaded && loaded.failure().code == errc::malformed_data)
    return {errc::malformed_data,
            fmt::format("{} (the model takes {} features and {} classes)", loaded.failure().text,
                        model.shape.features, model.shape.classes)};
  if (!loaded) return loaded.failure();
  auto& data = loaded->data;
  if (format != debian_packages)
    return score_examples{std::move(data.train), std::move(loaded->source)};
  if (data.class_names != model.class_names)
    if (auto mapped = relabel(data.test, data.class_names, model.class_names); !mapped)
      return mapped.failure();
  return score_examples{std::move(data.test), "the test split of " + loaded->source};
}

} // namespace gradmesh::tools
