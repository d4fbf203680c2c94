#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"

#include <algorithm>
#include <numeric>

using namespace gradmesh::gpu;

TEST_CASE("rows are gathered from a table and scattered into it, the others staying as they are") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto all = 1 + source.below(300), columns = 1 + source.below(70);
      const auto count = 1 + source.below(all);
      const auto table = source.floats(all * columns), x = source.floats(count * columns);
      std::vector<std::uint32_t> rows(all);
      std::iota(rows.begin(), rows.end(), 0);
      std::shuffle(rows.begin(), rows.end(), std::mt19937_64(seed));
      rows.resize(count);

      const operand<float> table_on(*device, table), x_on(*device, x);
      const operand<float> out(*device, poison(count * columns));
      const operand<std::uint32_t> rows_on(*device, rows);
      device->gather_rows(table_on.matrix(all, columns), rows_on.span(),
                          out.matrix(count, columns));
      device->scatter_rows(x_on.matrix(count, columns), rows_on.span(),
                           table_on.matrix(all, columns));

      std::vector<float> gathered(count * columns), scattered = table;
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < columns; ++j) {
          gathered[i * columns + j] = table[rows[i] * columns + j];
          scattered[rows[i] * columns + j] = x[i * columns + j];
        }
      CHECK(out.values() == gathered);
      CHECK(table_on.values() == scattered);
    }
  }
}

TEST_CASE("momentum and Adam update as their formulas say, over several steps") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto size = 1 + source.below(2000);
      const auto w = source.floats(size);
      const operand<float> w1(*device, w), w2(*device, w);
      const std::vector<float> zeros(size, 0);
      const operand<float> v(*device, zeros), mean(*device, zeros), square(*device, zeros);
      std::vector<double> want1(w.begin(), w.end()), want2 = want1, velocity(size), m(size),
                                                     s(size);
      const adam_factors factors;
      for (std::uint64_t step = 1; step <= 5; ++step) {
        const auto g = source.floats(size);
        const operand<float> g_on(*device, g);
        device->update_momentum(0.1F, 0.9F, g_on.span(), w1.span(), v.span());
        device->update_adam(0.01F, factors, step, g_on.span(), w2.span(), mean.span(),
                            square.span());
        for (std::size_t i = 0; i < size; ++i) {
          velocity[i] = double{0.9F} * velocity[i] + g[i];
          want1[i] -= double{0.1F} * velocity[i];
          m[i] = double{factors.beta1} * m[i] + (1 - double{factors.beta1}) * g[i];
          s[i] = double{factors.beta2} * s[i] + (1 - double{factors.beta2}) * g[i] * g[i];
          want2[i] -= double{0.01F} * m[i] / (1 - std::pow(double{factors.beta1}, step)) /
                      (std::sqrt(s[i] / (1 - std::pow(double{factors.beta2}, step))) + 1e-8);
        }
      }
      const auto got1 = w1.values(), got2 = w2.values();
      for (std::size_t i = 0; i < size; ++i) {
        CAPTURE(i);
        CHECK(got1[i] == doctest::Approx(want1[i]).epsilon(1e-5));
        CHECK(got2[i] == doctest::Approx(want2[i]).epsilon(1e-5));
      }
    }
  }
}
