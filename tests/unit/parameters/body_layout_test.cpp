#include "actors/parameters/body_layout.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace gradmesh;
using namespace gradmesh::parameters;
using learning::table_kind;
using learning::table_spec;

TEST_CASE("a body holds the dense range and one row a key of every sparse table") {
  const std::vector<table_spec> tables{
      {"bias", table_kind::dense, 10}, {"w", table_kind::sparse, 3}, {"v", table_kind::sparse, 8}};
  const body_layout layout(tables);
  CHECK(layout.row_widths() == std::vector<std::size_t>{3, 8});
  CHECK(layout.body_floats(10, 4) == 10 + 4 * 11);
}

TEST_CASE("tables outside the limits are refused with their name and size") {
  const auto refusal = [](std::vector<table_spec> tables) {
    const auto ok = check_tables(tables);
    REQUIRE(!ok);
    CHECK(ok.failure().code == errc::invalid_argument);
    return ok.failure().text;
  };
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(check_tables(std::vector<table_spec>{{"w", table_kind::sparse, row_floats_max}}));
  CHECK(contains(refusal({{"", table_kind::dense, 1}}), "0 bytes"));
  CHECK(contains(refusal({{std::string("w\0x", 3), table_kind::dense, 1}}), "'w' has a 0 byte"));
  CHECK(contains(refusal({{"w", table_kind::dense, 0}}), "'w' has a width of 0"));
  CHECK(contains(refusal({{"w", table_kind::sparse, row_floats_max + 1}}), "1048577"));
  CHECK(contains(refusal({{"w", table_kind::sparse, 1}, {"w", table_kind::dense, 1}}),
                 "two tables are named 'w'"));
  CHECK(contains(refusal({{"a", table_kind::dense, dense_floats_max}, {"b", table_kind::dense, 1}}),
                 "1099511627777"));
  table_spec wild{"w", table_kind::dense, 1, learning::initializer::uniform};
  wild.init_limit = std::numeric_limits<float>::infinity();
  CHECK(contains(refusal({wild}), "inf"));
  std::vector<table_spec> many(tables_max + 1);
  CHECK(contains(refusal(many), "257 tables"));
}
