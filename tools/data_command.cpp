#include "actors/learning/data/libsvm.hpp"
#include "actors/learning/data/load.hpp"
#include "tools/cache_folder.hpp"
#include "tools/command.hpp"
#include "tools/data_summary.hpp"
#include "tools/figures.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools {
namespace {

/// By the name of the file; LIBSVM has none of its own.
std::string guess_format(std::string path) {
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  if (path.ends_with(".csv")) return "csv";
  if (path.ends_with(".tsv")) return "tsv";
  if (path.ends_with("-ubyte")) return "idx";
  return "libsvm";
}

void report_written(const std::string& directory, const learning::split_dataset& data) {
  const auto rows = [](const learning::dataset& part) { return grouped(part.size()); };
  std::cout << grouped(data.train.size() + data.test.size()) << " documents, "
            << grouped(data.class_names.size()) << " classes, "
            << grouped(data.train.shape.features) << " features\n"
            << directory << "/train.libsvm  " << rows(data.train) << " documents\n"
            << directory << "/test.libsvm   " << rows(data.test) << " documents\n"
            << directory << "/classes.txt   " << grouped(data.class_names.size())
            << " class names, by label\n";
}

exit_code write_debian_packages(const po::variables_map& values) {
  if (values.count("output") == 0)
    return usage_error("data", "--output DIR is missing: where are the files to be written?");
  const auto directory = values["output"].as<std::string>();
  const auto disk = env::make_disk();
  std::cerr << "reading the package lists of this machine ...\n";
  learning::data_source source;
  source.cache = cache_folder();
  const auto loaded = learning::load_data(source, *disk, env::run_command);
  if (!loaded) return report_failure("data", loaded.failure());
  std::cerr << loaded->source << "\nwriting " << directory << " ...\n";
  if (auto written = learning::write_libsvm(loaded->data, directory, *disk); !written)
    return report_failure("data", written.failure());
  report_written(directory, loaded->data);
  return exit_ok;
}

exit_code show_info(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("data", "-o '" + form + "' is neither table nor json");
  learning::data_source source;
  source.train = values["FILE"].as<std::string>();
  source.format = values["format"].as<std::string>();
  if (source.format.empty()) source.format = guess_format(source.train);
  if (!is_one_of(source.format, {"libsvm", "csv", "tsv", "idx"}))
    return usage_error("data",
                       "--format '" + source.format + "' is not one of libsvm, csv, tsv, idx");
  source.train_labels = values["labels"].as<std::string>();
  if ((source.format == "idx") == source.train_labels.empty())
    return usage_error("data", source.format == "idx"
                                   ? "format idx needs the file of the labels: --labels FILE"
                                   : "--labels belongs to format idx alone");
  source.label_column = values["label-column"].as<std::uint16_t>() + 1;
  source.header = values["header"].as<bool>();
  const auto disk = env::make_disk();
  auto loaded = learning::load_data(source, *disk, env::run_command);
  if (!loaded) return report_failure("data", loaded.failure());
  const auto summary =
      summarise(loaded->data.train, std::move(loaded->data.class_names), loaded->source);
  std::cout << (form == "json" ? summary_json(summary) + '\n' : summary_text(summary));
  return exit_ok;
}

exit_code debian_packages(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh data debian-packages --output DIR",
                       .description =
                           "Makes a data set of the package lists of this Debian machine: name and "
                           "short description of\neach package -> its section. Writes LIBSVM files "
                           "and the names of the classes.",
                       .positional = {}};
  options.named.add_options()("output,o", po::value<std::string>(),
                              "folder for the files, made if it is missing");
  return with_options(std::move(options), arguments, write_debian_packages);
}

exit_code info(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh data info FILE [options]",
                       .description = "Says what is in a file of examples: rows, features, "
                                      "classes, how full it is.",
                       .positional = {"FILE"},
                       .required = 1};
  options.named.add_options()("format", po::value<std::string>()->default_value(""),
                              "libsvm, csv, tsv or idx; default: by the name of the file")(
      "labels", po::value<std::string>()->default_value(""), "idx: the labels")(
      "label-column", po::value<std::uint16_t>()->default_value(0),
      "csv, tsv: the column of the label, from 0")("header", po::bool_switch(),
                                                   "csv, tsv: skip the first line")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, show_info);
}

constexpr noun nouns[] = {
    {"debian-packages", "writes the package lists of this machine as LIBSVM files",
     debian_packages},
    {"info", "says what is in a file of examples", info},
};

} // namespace

exit_code data_command(const std::vector<std::string>& arguments) {
  return run_noun("data", nouns, arguments);
}

} // namespace gradmesh::tools
