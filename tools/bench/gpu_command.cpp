#include "tools/bench/gpu_command.hpp"

#include "config/device.hpp"
#include "config/node_config.hpp"
#include "tools/bench/gpu_bench.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iostream>

namespace gradmesh::tools::bench {
namespace {

std::string to_json(const gpu_report& report, const gpu_options& options) {
  nlohmann::ordered_json figures = nlohmann::json::array();
  for (const auto& f : report.figures)
    figures.push_back({{"name", f.name},
                       {"seconds", f.seconds},
                       {"spread", f.spread},
                       {"rate_per_second", f.rate},
                       {"unit", f.unit}});
  const nlohmann::ordered_json all{
      {"device", report.device},
      {"skipped", false},
      {"width", options.width},
      {"hidden_layers", options.layers},
      {"batch", options.batch},
      {"runs", options.runs},
      {"figures", figures},
      {"step_to_bound", report.step_to_bound},
      {"products_share", report.products_share},
      {"two_steps_to_bound", report.two_to_bound},
      {"device_allocations_after_first_step", report.allocations_later}};
  return all.dump(2) + "\n";
}

std::string to_table(const gpu_report& report) {
  auto text = fmt::format("{:<22} {:>12} {:>8} {:>12}\n", "WHAT", "SECONDS", "SPREAD", "RATE");
  for (const auto& f : report.figures)
    text += fmt::format("{:<22} {:>12.6f} {:>7.1f}% {:>7.2f} {}/s\n", f.name, f.seconds,
                        100 * f.spread, f.rate, f.unit);
  return text +
         fmt::format("{}: a step takes {:.2f} of max(products, copies), {:.2f} where two are "
                     "on the device at once; its products\nalone take {:.0f} % of it; {} "
                     "allocations after the first steps\n",
                     report.device, report.step_to_bound, report.two_to_bound,
                     100 * report.products_share, report.allocations_later);
}

exit_code skip(const std::string& form, const std::string& why) {
  if (form == "json")
    std::cout << nlohmann::ordered_json{{"skipped", true}, {"why", why}}.dump(2) << '\n';
  else
    std::cout << "skipped: " << why << '\n';
  return exit_ok;
}

exit_code measure(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (form != "table" && form != "json")
    return usage_error("bench", "-o '" + form + "' is neither table nor json");
  gpu_options options{.width = values["width"].as<unsigned>(),
                      .layers = values["layers"].as<unsigned>(),
                      .batch = values["batch"].as<unsigned>(),
                      .runs = values["runs"].as<unsigned>(),
                      .progress = [](const std::string& what) { std::cerr << what << " ...\n"; }};
  if (options.width < 1 || options.width > 65'536)
    return usage_error("bench", "--width is not in 1..65536");
  if (options.layers < 1 || options.layers > 100)
    return usage_error("bench", "--layers is not in 1..100");
  if (options.batch < 1 || options.batch > 65'535)
    return usage_error("bench", "--batch is not in 1..65535");
  if (options.runs < 1 || options.runs > 1000)
    return usage_error("bench", "--runs is not in 1..1000");
  const auto device = config::device_name().parse(values["device"].as<std::string>());
  if (!device) return usage_error("bench", "--device: " + device.failure().text);
  options.on_cpu = device->what == config::device_choice::kind::cpu;
  options.device = static_cast<int>(device->number);
  const auto products =
      config::one_of<config::product_rounding>().parse(values["products"].as<std::string>());
  if (!products) return usage_error("bench", "--products: " + products.failure().text);
  options.precision = static_cast<gpu::product_precision>(*products);

  const auto report = run_gpu_bench(options);
  if (!report && report.failure().code == errc::not_found) return skip(form, report.failure().text);
  if (!report) return report_failure("bench", report.failure());
  std::cout << (form == "json" ? to_json(*report, options) : to_table(*report));
  return exit_ok;
}

} // namespace

exit_code gpu_command(const std::vector<std::string>& arguments) {
  verb_options options{
      .usage = "gradmesh bench gpu [options]",
      .description =
          "Measures a step of a multilayer perceptron on a CUDA device, parameters in and "
          "gradients "
          "out\nincluded. In each run take turns:\n"
          "  step                  as a worker's: copies beside products\n"
          "  step-without-overlap  the same on one stream\n"
          "  steps-two-at-once     one of eight that are begun before the one before has ended\n"
          "  products-alone        the step's matrix products, plain cuBLAS\n"
          "  copy-in, -out, -both  the step's parameters, its gradients, both at once\n"
          "All figures are medians of the runs; SPREAD is (greatest - least) / median. Without a "
          "device it\nsays so and exits with 0.",
      .positional = {}};
  options.named.add_options()("device", po::value<std::string>()->default_value("cuda:0"),
                              "cuda:N; cpu: a look at the benchmark, not at a device")(
      "products", po::value<std::string>()->default_value("float32"), "float32, tf32 or bfloat16")(
      "width", po::value<unsigned>()->default_value(8192), "inputs, and width of hidden layers")(
      "layers", po::value<unsigned>()->default_value(4),
      "hidden layers")("batch", po::value<unsigned>()->default_value(8192), "examples of a step")(
      "runs", po::value<unsigned>()->default_value(7), "how often each is measured, in turn")(
      "output,o", po::value<std::string>()->default_value("table"), "table or json");
  return with_options(std::move(options), arguments, measure);
}

} // namespace gradmesh::tools::bench
