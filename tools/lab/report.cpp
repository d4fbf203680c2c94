#include "tools/lab/report.hpp"

#include "tools/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace gradmesh::tools::lab {
namespace {

using json = nlohmann::ordered_json;

std::string shown(double figure) {
  return fmt::format("{:.4g}", figure);
}

std::string bound_of(const check& c) {
  if (c.least == c.most) return "=" + shown(c.least);
  if (std::isinf(c.least)) return "<=" + shown(c.most);
  if (std::isinf(c.most)) return ">=" + shown(c.least);
  return shown(c.least) + ".." + shown(c.most);
}

const char* verdict(bool passed) {
  return passed ? "PASS" : "FAIL";
}

json number(double value) {
  return std::isfinite(value) ? json(value) : json();
}

} // namespace

bool method_report::passed() const {
  return !failure && !found.empty() && std::ranges::all_of(found, &check::passed);
}

method_report examine(const method& m, const rule_set& rules) {
  const auto begin = std::chrono::steady_clock::now();
  method_report report{&m, {}, {}, 0};
  auto found = m.run(rules);
  if (found)
    report.found = std::move(*found);
  else
    report.failure = found.failure();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

std::string to_table(const std::vector<method_report>& reports) {
  table t;
  t.columns = {{"METHOD"}, {"CHECK"}, {"FIGURE", true}, {"BOUND", true}, {"RESULT"}};
  for (const auto& report : reports) {
    if (report.failure) t.rows.push_back({report.of->name, "experiment", "-", "-", verdict(false)});
    for (const auto& c : report.found)
      t.rows.push_back(
          {report.of->name, c.name, shown(c.figure), bound_of(c), verdict(c.passed())});
  }
  return join_lines(render(t));
}

std::string to_json(const std::vector<method_report>& reports) {
  auto array = json::array();
  for (const auto& report : reports) {
    auto list = json::array();
    for (const auto& c : report.found)
      list.push_back({{"name", c.name},
                      {"what", c.what},
                      {"figure", number(c.figure)},
                      {"bound", bound_of(c)},
                      {"least", number(c.least)},
                      {"most", number(c.most)},
                      {"result", verdict(c.passed())}});
    array.push_back({{"method", report.of->name},
                     {"what", report.of->what},
                     {"result", verdict(report.passed())},
                     {"error", report.failure ? json(report.failure.text) : json()},
                     {"seconds", report.seconds},
                     {"checks", std::move(list)}});
  }
  return array.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string failures_text(const std::vector<method_report>& reports) {
  std::string text;
  for (const auto& report : reports) {
    if (report.failure)
      text += fmt::format("{}: its experiment failed: {}\n", report.of->name, report.failure.text);
    for (const auto& c : report.found)
      if (!c.passed())
        text += fmt::format("{}: {} is {}, not {}: {}\n", report.of->name, c.name, shown(c.figure),
                            bound_of(c), c.what);
  }
  return text;
}

} // namespace gradmesh::tools::lab
