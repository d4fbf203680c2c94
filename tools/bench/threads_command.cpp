#include "tools/bench/threads_command.hpp"

#include "actors/job/job_plan.hpp"
#include "tools/bench/threads_bench.hpp"
#include "tools/bench/threads_data.hpp"
#include "tools/cache_folder.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <iostream>

namespace gradmesh::tools::bench {
namespace {

constexpr std::uint64_t examples_max = 10'000'000;
constexpr unsigned features_max = 10'000'000;

/// What is trained where no job file says it: the sparse logistic regression of 100,000 features
/// and 10 entries an example that HOGWILD! is judged by.
result<threads_options> made_up_job(const po::variables_map& values) {
  made_up what{.kind =
                   values["dense"].as<bool>() ? learning::layout::dense : learning::layout::sparse,
               .examples = values["examples"].as<unsigned>(),
               .features = values["features"].as<unsigned>(),
               .classes = values["classes"].as<unsigned>(),
               .entries = values["entries"].as<unsigned>()};
  if (what.examples < 1 || what.examples > examples_max || what.features < 1 ||
      what.features > features_max || what.classes < 2 || what.classes > 1000 || what.entries < 1 ||
      what.entries > what.features)
    return {errc::invalid_argument,
            "--examples has to be in 1.." + std::to_string(examples_max) + ", --features in 1.." +
                std::to_string(features_max) +
                ", --classes in 2..1000 and --entries in 1 to the number of features"};
  threads_options options;
  options.data_name = what.kind == learning::layout::dense ? "dense" : "sparse";
  options.data = make_examples(what);
  options.batch = values["batch"].as<unsigned>();
  options.learning_rate = values["step"].as<float>() * static_cast<float>(options.batch);
  return options;
}

result<threads_options> job_of_file(const config::job_config& job) {
  auto source = job::data_source_of(job);
  if (source.cache.empty()) source.cache = cache_folder();
  const auto disk = env::make_disk();
  auto loaded = learning::load_data(source, *disk, env::run_command);
  if (!loaded) return loaded.failure();
  threads_options options;
  options.data_name = job.job.name;
  options.data = shuffled(loaded->data.train, job.job.seed);
  options.batch = job.job.batch_size;
  options.learning_rate = static_cast<float>(job.optimizer.learning_rate);
  options.l2 = static_cast<float>(job.model.l2);
  return options;
}

exit_code measure(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (form != "table" && form != "json")
    return usage_error("bench", "-o '" + form + "' is neither table nor json");
  const auto threads = values["threads"].as<unsigned>();
  const auto runs = values["runs"].as<unsigned>();
  const auto epochs = values["epochs"].as<unsigned>();
  if (threads < 1 || threads > 256) return usage_error("bench", "--threads is not in 1..256");
  if (runs < 1 || runs > 1000) return usage_error("bench", "--runs is not in 1..1000");
  if (epochs < 1 || epochs > 1000) return usage_error("bench", "--epochs is not in 1..1000");
  const auto batch = values["batch"].as<unsigned>();
  const auto step = values["step"].as<float>();
  if (batch < 1 || batch > 1'048'576) return usage_error("bench", "--batch is not in 1..1048576");
  if (!(step > 0 && step <= 1000)) return usage_error("bench", "--step has to be in 0..1000");

  result<threads_options> options{threads_options{}};
  if (values.count("JOB.ini") > 0) {
    const auto loaded = config::load_job(values["JOB.ini"].as<std::string>(), overrides_of(values));
    if (!loaded) {
      std::cerr << to_string(loaded.diagnostics);
      return exit_invalid_config;
    }
    options = job_of_file(*loaded.value);
  } else {
    options = made_up_job(values);
    if (!options) return usage_error("bench", options.failure().text);
  }
  if (!options) return report_failure("bench", options.failure());
  options->threads = threads;
  options->runs = runs;
  options->epochs = epochs;
  options->progress = [](const std::string& what) {
    std::cerr << "measuring " << what << " ...\n";
  };
  const auto rows = run_threads_bench(*options);
  if (!rows) return report_failure("bench", rows.failure());
  std::cout << (form == "json" ? to_json(*rows) : to_table(*rows));
  return exit_ok;
}

} // namespace

exit_code threads_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh bench threads [JOB.ini] [options]",
      .description =
          "Measures what lock-free threads (job.threads, HOGWILD!) bring to a worker's step of "
          "softmax\nregression. Three ways take turns in every run, each from zero parameters over "
          "the same batches:\n"
          "  minibatch  the gradient of the whole batch: job.threads = 1\n"
          "  hogwild    example by example on one thread, and on --threads\n"
          "EX/S counts the compute stage alone, from the pulled parameters to the gradient that is "
          "pushed.\nAll figures are medians of the runs; SPREAD is (greatest - least) / median, "
          "SPEEDUP is by the\nhogwild of one thread in the same run, LOSS that of the training set "
          "after the last epoch.\nWith a job file its data, batch size, learning rate and l2 "
          "count; "
          "without one, made-up data.\nThe batch of hogwild is not what it learns from, an example "
          "is: it only says how often it talks to\nthe servers. Each batch costs the threads a "
          "wake-up; the longer it is, the less that shows.",
      .positional = {"JOB.ini"}};
  add_set_option(options.named);
  options.named.add_options()("threads", po::value<unsigned>()->default_value(2),
                              "threads of the last row")(
      "runs", po::value<unsigned>()->default_value(7), "how often each way is measured, in turn")(
      "epochs", po::value<unsigned>()->default_value(1), "epochs of a run")(
      "examples", po::value<unsigned>()->default_value(262'144), "made up: examples")(
      "features", po::value<unsigned>()->default_value(100'000),
      "made up: features")("classes", po::value<unsigned>()->default_value(2), "made up: classes")(
      "entries", po::value<unsigned>()->default_value(10), "made up: entries of an example")(
      "dense", po::bool_switch(), "made up: every example has every feature")(
      "batch", po::value<unsigned>()->default_value(65'536), "made up: examples of a batch")(
      "step", po::value<float>()->default_value(0.02F),
      "made up: an example's step, which is the learning rate by the batch size")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, measure);
}

} // namespace gradmesh::tools::bench
