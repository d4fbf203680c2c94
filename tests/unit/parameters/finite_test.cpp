#include "actors/parameters/finite.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace gradmesh::parameters;

TEST_CASE("one value that is not finite is found at every position by every instruction set") {
  for (const auto set : supported_instruction_sets()) {
    CAPTURE(to_string(set));
    for (const std::size_t n : {1U, 15U, 64U, 131U}) {
      std::vector<float> values(n, std::numeric_limits<float>::max());
      for (std::size_t at = 0; at < n; ++at) {
        CAPTURE(at);
        const auto kept = at % 2 == 0 ? -std::numeric_limits<float>::max()
                                      : std::numeric_limits<float>::denorm_min();
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::signaling_NaN(),
              std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
          values[at] = bad;
          REQUIRE(!all_finite(values, set));
          REQUIRE(first_not_finite(values) == at);
        }
        values[at] = kept;
        REQUIRE(all_finite(values, set));
      }
      CHECK(first_not_finite(values) == n);
    }
    CHECK(all_finite({}, set));
  }
}
