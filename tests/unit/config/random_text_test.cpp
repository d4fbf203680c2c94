#include "config/ini_file.hpp"
#include "config/job_config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace gradmesh::config;
using namespace std::string_literals;

namespace {

constexpr std::uint32_t first_seed = 20'261'121;

/// The loader's promise for any text: either a job that survives its own dump, or diagnostics.
void check_promise(const std::string& text) {
  const auto job = parse_job(text, "random.ini");
  CHECK(job.value.has_value() == job.diagnostics.empty());
  if (!job) return;
  const auto again = parse_job(dump_job(*job.value), "dump");
  REQUIRE(again);
  CHECK(*again.value == *job.value);
}

} // namespace

TEST_CASE("a damaged job file gives diagnostics or a job that survives its dump") {
  const auto whole = dump_job(*parse_job("", "defaults").value);
  int loaded_count = 0;
  for (std::uint32_t seed = first_seed; seed < first_seed + 500; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto text = whole;
    const auto at = random() % text.size();
    switch (random() % 3) {
    case 0:
      text[at] = static_cast<char>(random() % 256);
      break;
    case 1:
      text[at] = static_cast<char>('0' + random() % 10);
      break;
    default:
      text.erase(at, 1 + random() % 4);
    }
    check_promise(text);
    if (parse_job(text, "random.ini")) ++loaded_count;
  }
  // Both outcomes must have been met, or the test shows nothing.
  CHECK(loaded_count > 20);
  CHECK(loaded_count < 480);
}

TEST_CASE("random bytes give diagnostics with lines of the text") {
  for (std::uint32_t seed = first_seed; seed < first_seed + 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    // Mostly characters that mean something to the scanner.
    const auto alphabet = "[]=#; \t\r\n\n\n.,-_ajob\0\xff"s;
    std::string text;
    for (auto n = random() % 400; n > 0; --n)
      text += alphabet[random() % alphabet.size()];
    const auto lines = static_cast<std::size_t>(1 + std::count(text.begin(), text.end(), '\n'));
    for (const auto& d : scan_ini(text, "random.ini").diagnostics) {
      CHECK(d.line >= 1);
      CHECK(d.line <= lines);
    }
    check_promise(text);
  }
}

TEST_CASE("any value that fits INI comes back from a dump") {
  int fitting = 0;
  for (std::uint32_t seed = first_seed; seed < first_seed + 500; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::string value;
    for (auto n = random() % 12; n > 0; --n)
      value += "ab#; =[]\t\n"[random() % 10];
    CAPTURE(value);
    const auto job = parse_job("", "job.ini", {{{"GRADMESH_JOB_MODEL_FILE", value}}, {}});
    CHECK(job.value.has_value() == fits_ini(value));
    if (!job) continue;
    ++fitting;
    const auto again = parse_job(dump_ini(job.options, true), "dump");
    REQUIRE(again);
    CHECK(again.value->job.model_file == value);
  }
  CHECK(fitting > 50);
}
