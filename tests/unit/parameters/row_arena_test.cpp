#include "actors/parameters/row_arena.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace gradmesh::parameters;

TEST_CASE("rows begin as zeros, do not overlap and never move") {
  for (const std::uint32_t width : {1U, 3U, 700'000U, 1'500'000U}) {
    CAPTURE(width);
    row_arena arena(width);
    const std::uint32_t rows = width > 1000 ? 4 : 2'500'000 / width; // more than one chunk
    std::vector<float*> places;
    bool zeros = true, kept = true;
    for (std::uint32_t n = 1; n <= rows; ++n) {
      arena.reach(n);
      float* row = arena.row(n);
      zeros &= row[0] == 0 && row[width - 1] == 0;
      row[0] = row[width - 1] = static_cast<float>(n);
      places.push_back(row);
    }
    CHECK(zeros);
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t n = rows; n != 0; --n)
      numbers.push_back(n);
    std::vector<float*> located(rows);
    arena.locate(numbers, width, located.data());
    for (std::uint32_t n = 1; n <= rows; ++n) {
      const auto value = static_cast<float>(n);
      kept &= arena.row(n) == places[n - 1] && located[rows - n] == places[n - 1];
      kept &= arena.row(n)[0] == value && arena.row(n)[width - 1] == value;
    }
    CHECK(kept);
    CHECK(std::all_of(arena.row(0), arena.row(0) + width, [](float x) { return x == 0; }));
  }
}
