#include "tools/command.hpp"
#include "tools/lab/report.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

using namespace gradmesh;
using namespace gradmesh::tools;
using namespace gradmesh::tools::lab;
using nlohmann::json;

namespace {

bool covers(const method& m, rule r) {
  return std::ranges::find(m.covers, r) != m.covers.end();
}

} // namespace

TEST_CASE("every check of every method passes") {
  for (const auto& m : all_methods()) {
    const auto report = examine(m, {});
    CHECK_MESSAGE(report.passed(), failures_text({report}));
  }
}

TEST_CASE("each rule, broken, makes every method fail that says that it covers it") {
  for (const auto& r : all_rules()) {
    if (!r.of_method) continue; // tests/protocol looks after those
    CAPTURE(r.name);
    rule_set rules;
    rules.break_rule(r.id);
    std::size_t methods = 0;
    for (const auto& m : all_methods()) {
      if (!covers(m, r.id)) continue;
      CAPTURE(m.name);
      ++methods;
      CHECK_FALSE(examine(m, rules).passed());
    }
    CHECK(methods > 0);
  }
}

TEST_CASE("a figure is within its bounds or not, and what is no number is not") {
  CHECK(at_most("c", "", 1, 1).passed());
  CHECK_FALSE(at_most("c", "", 1.01, 1).passed());
  CHECK_FALSE(at_least("c", "", 0.99, 1).passed());
  CHECK_FALSE(exactly("c", "", 1.01, 1).passed());
  CHECK_FALSE(between("c", "", std::numeric_limits<double>::quiet_NaN(), 0, 1).passed());
}

TEST_CASE("a method without a check has not passed") {
  CHECK_FALSE(method_report{&all_methods()[0], {}, {}, 0}.passed());
}

TEST_CASE("the lab's report tells figure, bound and verdict of each check") {
  const auto& m = all_methods()[0];
  const std::vector<method_report> reports{
      {&m, {at_most("low", "as low as can be", 2, 1.5), exactly("same", "equal", 3, 3)}, {}, 0.5},
      {&m, {}, {errc::timed_out, "too late"}, 0}};
  const auto object = json::parse(to_json(reports));
  REQUIRE(object.size() == 2);
  CHECK(object[0]["method"] == "push-pull");
  CHECK(object[0]["result"] == "FAIL");
  CHECK(object[0]["error"].is_null());
  CHECK(object[0]["checks"][0]["figure"] == 2.0);
  CHECK(object[0]["checks"][0]["bound"] == "<=1.5");
  CHECK(object[0]["checks"][0]["result"] == "FAIL");
  CHECK(object[0]["checks"][0]["least"].is_null());
  CHECK(object[0]["checks"][1]["result"] == "PASS");
  CHECK(object[1]["error"] == "too late");
  CHECK(to_table(reports) == "METHOD     CHECK       FIGURE  BOUND  RESULT\n"
                             "push-pull  low              2  <=1.5  FAIL\n"
                             "push-pull  same             3     =3  PASS\n"
                             "push-pull  experiment       -      -  FAIL\n");
  CHECK(failures_text(reports) == "push-pull: low is 2, not <=1.5: as low as can be\n"
                                  "push-pull: its experiment failed: too late\n");
}

TEST_CASE("a method, rule or form that there is not is wrong usage") {
  CHECK(lab_command({"bps"}) == exit_usage);
  CHECK(lab_command({}) == exit_usage);
  CHECK(lab_command({"wait", "--break", "nothing"}) == exit_usage);
  CHECK(lab_command({"wait", "-o", "xml"}) == exit_usage);
}
