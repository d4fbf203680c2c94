#include "actors/learning/data/debian_packages.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <xxhash.h>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

std::string record(const std::string& name, const std::string& section,
                   const std::string& description) {
  return "Package: " + name + "\nVersion: 1\nDescription: " + description +
         "\n the long part, which is no part of the document\nSection: " + section + "\n\n";
}

bool is_test(const std::string& name) {
  return XXH3_64bits(name.data(), name.size()) % 10 == 0;
}

/// The n-th name of the form "pN" that belongs to the wanted half.
std::string name_in(bool test, int n) {
  for (int i = 0;; ++i)
    if (const auto name = "p" + std::to_string(i); is_test(name) == test && n-- == 0) return name;
}

std::uint32_t feature(std::string_view token) {
  return static_cast<std::uint32_t>(XXH3_64bits(token.data(), token.size()) % debian_features);
}

std::vector<std::uint32_t> features(std::vector<std::string> tokens) {
  std::vector<std::uint32_t> hashed;
  for (const auto& token : tokens)
    hashed.push_back(feature(token));
  std::sort(hashed.begin(), hashed.end());
  return hashed;
}

/// Two packages that make both halves non-empty, and what the test adds.
split_dataset read(const std::string& more) {
  auto data = read_debian_packages(record(name_in(false, 0), "web", "one") +
                                   record(name_in(true, 0), "admin", "two") + more);
  REQUIRE(data);
  return *std::move(data);
}

std::vector<std::uint32_t> last_train_row(const split_dataset& data) {
  const auto& offsets = data.train.offsets;
  return {data.train.indices.begin() + offsets[offsets.size() - 2], data.train.indices.end()};
}

} // namespace

TEST_CASE("packages are split by the hash of their name and classed by section") {
  const auto data = read(record(name_in(false, 1), "contrib/admin", "three"));
  CHECK(data.class_names == std::vector<std::string>{"admin", "web"});
  CHECK(data.train.shape == data_shape{layout::sparse, 262144, 2});
  CHECK(data.test.shape == data.train.shape);
  CHECK(data.train.labels == std::vector<std::int32_t>{1, 0});
  CHECK(data.test.labels == std::vector<std::int32_t>{0});
  CHECK(data.test.indices == features({name_in(true, 0), "two"}));
}

TEST_CASE("a document is the distinct lower-case tokens of name and short description") {
  const auto name = name_in(false, 1);
  const auto data =
      read(record(name, "web", "C++17 Caf\xc3\xa9-DAEMON for the " + name + " daemon"));
  CHECK(last_train_row(data) == features({name, "c", "17", "caf", "daemon", "for", "the"}));
}

TEST_CASE("the value of a feature is its inverse document frequency in the training set") {
  const auto data = read(record(name_in(false, 1), "web", "one two"));
  REQUIRE(data.train.size() == 2);
  const auto value_of = [](const dataset& part, std::string_view token) {
    const auto found = std::find(part.indices.begin(), part.indices.end(), feature(token));
    REQUIRE(found != part.indices.end());
    return part.values[static_cast<std::size_t>(found - part.indices.begin())];
  };
  CHECK(value_of(data.train, "one") == doctest::Approx(std::log(3.0 / 3.0)));
  CHECK(value_of(data.train, "two") == doctest::Approx(std::log(3.0 / 2.0)));
  // A test document counts for nothing; what the training set never shows has the largest value.
  CHECK(value_of(data.test, "two") == doctest::Approx(std::log(3.0 / 2.0)));
  CHECK(value_of(data.test, name_in(true, 0)) == doctest::Approx(std::log(3.0)));
}

TEST_CASE("a translated description is taken where there is one") {
  const auto name = name_in(false, 1);
  for (const std::string fields :
       {"Description-en: english\n", "Description: german\nDescription-en: english\n",
        "Description-en: english\nDescription: german\n"}) {
    CAPTURE(fields);
    const auto data = read("Package: " + name + "\nSection: web\n" + fields);
    CHECK(last_train_row(data) == features({name, "english"}));
  }
}

TEST_CASE("sections without content, records without a section and repeated names are dropped") {
  const auto data = read(record(name_in(false, 1), "debug", "x") +
                         record(name_in(false, 2), "contrib/oldlibs", "x") +
                         record(name_in(false, 3), "tasks", "x") + "Package: " + name_in(false, 4) +
                         "\nDescription: x\n\n" + "Section: web\nDescription: x\n\n" +
                         record(name_in(false, 0), "admin", "another version"));
  CHECK(data.train.size() == 1);
  CHECK(data.test.size() == 1);
  CHECK(data.class_names == std::vector<std::string>{"admin", "web"});
  CHECK(last_train_row(data) == features({name_in(false, 0), "one"}));
}

TEST_CASE("a machine without package lists is told to get them") {
  for (const std::string text : {"", "\n\n", "no such thing\n"}) {
    const auto data = read_debian_packages(text);
    REQUIRE_FALSE(data);
    CHECK(data.failure().code == errc::not_found);
    CHECK(data.failure().text.find("apt-get update") != std::string::npos);
  }
}

TEST_CASE("too few packages for two halves are refused") {
  const auto data = read_debian_packages(record(name_in(true, 0), "web", "alone"));
  REQUIRE_FALSE(data);
  CHECK(data.failure().code == errc::malformed_data);
}
