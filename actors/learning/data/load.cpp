#include "actors/learning/data/load.hpp"

#include "actors/learning/data/assemble.hpp"
#include "actors/learning/data/csv.hpp"
#include "actors/learning/data/debian_packages.hpp"
#include "actors/learning/data/debian_source.hpp"
#include "actors/learning/data/gzip.hpp"
#include "actors/learning/data/idx.hpp"
#include "actors/learning/data/libsvm.hpp"
#include "actors/learning/data/text.hpp"

#include <cmath>
#include <optional>

namespace gradmesh::learning {
namespace {

constexpr std::uint64_t file_bytes_max = std::uint64_t{8} << 30;
/// More classes than this are a regression target or a mistake.
constexpr std::uint32_t classes_max = 1u << 24;
constexpr std::uint64_t classes_file_bytes_max = std::uint64_t{1} << 28;

error bad_key(const std::string& what) {
  return {errc::invalid_argument, "data: " + what};
}

result<void> check(const data_source& source) {
  const std::string& format = source.format;
  if (format != "debian-packages" && format != "libsvm" && format != "csv" && format != "tsv" &&
      format != "idx")
    return bad_key("format '" + format + "' is not one of debian-packages, libsvm, csv, tsv, idx");
  if (!std::isfinite(source.scale) || source.scale == 0)
    return bad_key("scale must be a finite number other than 0");
  if (!(source.test_fraction >= 0 && source.test_fraction < 1))
    return bad_key("test_fraction = " + std::to_string(source.test_fraction) + " is not in [0, 1)");
  if (source.classes > classes_max)
    return bad_key("classes = " + std::to_string(source.classes) + " is more than " +
                   std::to_string(classes_max));
  const int tests = !source.test.empty() + (source.test_last > 0) + (source.test_fraction > 0);
  if (format == "debian-packages") {
    if (!source.train.empty() || tests > 0)
      return bad_key("format = debian-packages finds its data itself: leave out train, test, "
                     "test_last and test_fraction");
    return {};
  }
  if (source.train.empty()) return bad_key("format = " + format + " needs a file: set train");
  if (tests > 1) return bad_key("set one of test, test_last and test_fraction");
  const bool needs_labels = format == "idx";
  if (source.train_labels.empty() == needs_labels ||
      source.test_labels.empty() == (needs_labels && !source.test.empty()))
    return bad_key(needs_labels ? "format = idx needs train_labels, and test_labels with test"
                                : "train_labels and test_labels belong to format = idx alone");
  return {};
}

result<std::string> read_plain(const std::string& path, env::disk& disk) {
  auto bytes = disk.read(path, file_bytes_max);
  if (!bytes) return bytes;
  return inflate_if_gzip(*std::move(bytes), path, file_bytes_max);
}

result<file_rows> read_rows(const data_source& source, const std::string& path,
                            const std::string& labels_path, env::disk& disk) {
  const auto text = read_plain(path, disk);
  if (!text) return text.failure();
  if (source.format == "libsvm") return read_libsvm(*text, path);
  if (source.format == "idx") {
    const auto labels = read_plain(labels_path, disk);
    if (!labels) return labels.failure();
    return read_idx(*text, path, *labels, labels_path);
  }
  const char separator = source.format == "tsv" ? '\t' : ',';
  return read_csv(*text, path, {separator, source.header, source.label_column});
}

/// `classes.txt` beside a LIBSVM file, as `write_libsvm` makes it.
result<std::optional<label_map>> classes_beside(const std::string& path, env::disk& disk) {
  const std::string names_path = path.substr(0, path.rfind('/') + 1) + "classes.txt";
  if (!disk.exists(names_path)) return std::optional<label_map>{};
  const auto text = disk.read(names_path, classes_file_bytes_max);
  if (!text) return text.failure();
  std::vector<std::string> names;
  line_scanner lines(*text);
  while (auto line = lines.next())
    names.emplace_back(*line);
  auto labels = label_map::of_names(names);
  if (!labels) return {labels.failure().code, names_path + ": " + labels.failure().text};
  return std::optional(*std::move(labels));
}

/// The classes as far as they are known before the labels are seen.
result<std::optional<label_map>> known_classes(const data_source& source, env::disk& disk) {
  if (!source.class_names.empty()) {
    auto labels = label_map::of_names(source.class_names);
    if (!labels) return labels.failure();
    return std::optional(*std::move(labels));
  }
  if (source.classes > 0) return std::optional(label_map::of_numbers(source.classes));
  if (source.format == "libsvm") return classes_beside(source.train, disk);
  return std::optional<label_map>{};
}

result<void> scale_values(split_dataset& data, float scale) {
  if (scale == 1) return {};
  for (dataset* part : {&data.train, &data.test})
    for (float& value : part->values) {
      value *= scale;
      if (!std::isfinite(value))
        return bad_key("scale = " + std::to_string(scale) + " makes a feature value infinite");
    }
  return {};
}

} // namespace

result<loaded_data> load_data(const data_source& source, env::disk& disk,
                              const env::command_runner& commands) {
  if (auto checked = check(source); !checked) return checked.failure();
  if (source.format == "debian-packages") return load_debian_packages(source.cache, disk, commands);

  auto labels = known_classes(source, disk);
  if (!labels) return labels.failure();
  auto train = read_rows(source, source.train, source.train_labels, disk);
  if (!train) return train.failure();
  std::optional<file_rows> test;
  if (!source.test.empty()) {
    auto rows = read_rows(source, source.test, source.test_labels, disk);
    if (!rows) return rows.failure();
    test = *std::move(rows);
  }
  auto data = assemble(*std::move(train), std::move(test), source.features, *std::move(labels));
  if (!data) return data.failure();
  if (auto scaled = scale_values(*data, source.scale); !scaled) return scaled.failure();
  result<void> split;
  if (source.test_last > 0) split = split_last(*data, source.test_last);
  if (source.test_fraction > 0) split = split_fraction(*data, source.test_fraction, source.seed);
  if (!split) return split.failure();
  return loaded_data{*std::move(data),
                     source.test.empty() ? source.train : source.train + " and " + source.test};
}

} // namespace gradmesh::learning
