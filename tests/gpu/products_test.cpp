#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"

#include <algorithm>

using namespace gradmesh::gpu;

namespace {

/// op(m)[i][j] of a row-major matrix.
double at(const std::vector<float>& m, std::size_t stored_columns, transpose t, std::size_t i,
          std::size_t j) {
  return t == transpose::yes ? m[j * stored_columns + i] : m[i * stored_columns + j];
}

struct sparse_rows {
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint32_t> columns;
  std::vector<float> values;
};

/// Rows with 0 to 5 entries, repeated columns among them, and offsets that begin anywhere.
sparse_rows random_sparse(operand_source& source, std::size_t rows, std::size_t width) {
  sparse_rows s;
  const auto first = static_cast<std::uint32_t>(source.below(9));
  s.offsets.push_back(first);
  for (std::size_t i = 0; i < rows; ++i) {
    for (auto n = source.below(6); n > 0; --n)
      s.columns.push_back(static_cast<std::uint32_t>(source.below(width)));
    s.offsets.push_back(first + static_cast<std::uint32_t>(s.columns.size()));
  }
  s.values = source.floats(s.columns.size());
  return s;
}

} // namespace

TEST_CASE("a product of matrices equals the double loop for every transposition and beta") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto m = 1 + source.below(70), n = 1 + source.below(70), k = source.below(70);
      const auto ta = source.below(2) ? transpose::yes : transpose::no;
      const auto tb = source.below(2) ? transpose::yes : transpose::no;
      const float alpha = source.floats(1)[0], beta = source.below(2) ? 0.5F : 0.0F;
      const auto a = source.floats(m * k), b = source.floats(k * n);
      const auto c = beta == 0 ? poison(m * n) : source.floats(m * n);
      const auto a_columns = ta == transpose::yes ? m : k, b_columns = tb == transpose::yes ? k : n;

      const operand<float> a_on(*device, a), b_on(*device, b), c_on(*device, c);
      device->multiply(alpha, a_on.matrix(ta == transpose::yes ? k : m, a_columns), ta,
                       b_on.matrix(tb == transpose::yes ? n : k, b_columns), tb, beta,
                       c_on.matrix(m, n));

      std::vector<reference_sum> wanted(m * n);
      for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          auto& sum = wanted[i * n + j];
          if (beta != 0) sum.add(static_cast<double>(beta) * c[i * n + j]);
          for (std::size_t p = 0; p < k; ++p)
            sum.add(alpha * at(a, a_columns, ta, i, p) * at(b, b_columns, tb, p, j));
        }
      check_close(c_on.values(), wanted);
    }
  }
}

TEST_CASE("a product has the same bits wherever its operands lie in memory") {
  for (const auto& device : test_backends()) {
    if (device->name().starts_with("cuda")) continue; // chooses its kernels by alignment
    CAPTURE(device->name());
    operand_source source(7);
    for (const std::size_t m : {1U, 16U, 64U, 200U}) {
      CAPTURE(m);
      const std::size_t k = 131, n = 57;
      const auto a = source.floats(m * k), b = source.floats(k * n);
      std::vector<float> first;
      for (std::size_t shift = 0; shift < 16; ++shift) {
        CAPTURE(shift);
        const operand<float> a_on(*device, poison(m * k + 16)), b_on(*device, poison(k * n + 16));
        const operand<float> c_on(*device, poison(m * n));
        device->copy_to_device(a_on.span().data + shift, a.data(), a.size() * sizeof(float));
        device->copy_to_device(b_on.span().data + 15 - shift, b.data(), b.size() * sizeof(float));
        device->multiply(1, as_matrix(a_on.span().part(shift, m * k), m, k), transpose::no,
                         as_matrix(b_on.span().part(15 - shift, k * n), k, n), transpose::no, 0,
                         c_on.matrix(m, n));
        const auto c = c_on.values();
        if (shift == 0) first = c;
        CHECK(c == first);
      }
    }
  }
}

TEST_CASE(
    "a sparse product equals the double loop, also for empty rows and offsets from anywhere") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = 1 + source.below(40), width = 1 + source.below(30),
                 classes = 1 + source.below(60);
      const auto s = random_sparse(source, rows, width);
      const auto w = source.floats(width * classes);

      const operand<std::uint32_t> offsets(*device, s.offsets), columns(*device, s.columns);
      const operand<float> values(*device, s.values), w_on(*device, w),
          out(*device, poison(rows * classes));
      device->multiply_sparse({offsets.span(), columns.span(), values.span(), s.offsets[0]},
                              w_on.matrix(width, classes), out.matrix(rows, classes));

      std::vector<reference_sum> wanted(rows * classes);
      for (std::size_t i = 0; i < rows; ++i)
        for (auto k = s.offsets[i] - s.offsets[0]; k < s.offsets[i + 1] - s.offsets[0]; ++k)
          for (std::size_t j = 0; j < classes; ++j)
            wanted[i * classes + j].add(static_cast<double>(s.values[k]) *
                                        w[s.columns[k] * classes + j]);
      check_close(out.values(), wanted);
    }
  }
}

TEST_CASE("the transposed sparse product adds to what is there, once for each repeated column") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = 1 + source.below(40), width = 1 + source.below(30),
                 classes = 1 + source.below(60);
      const auto s = random_sparse(source, rows, width);
      const auto d = source.floats(rows * classes), before = source.floats(width * classes);

      const operand<std::uint32_t> offsets(*device, s.offsets), columns(*device, s.columns);
      const operand<float> values(*device, s.values), d_on(*device, d), out(*device, before);
      device->add_sparse_transposed({offsets.span(), columns.span(), values.span(), s.offsets[0]},
                                    d_on.matrix(rows, classes), out.matrix(width, classes));

      std::vector<reference_sum> wanted(width * classes);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        wanted[i].add(before[i]);
      for (std::size_t i = 0; i < rows; ++i)
        for (auto k = s.offsets[i] - s.offsets[0]; k < s.offsets[i + 1] - s.offsets[0]; ++k)
          for (std::size_t j = 0; j < classes; ++j)
            wanted[s.columns[k] * classes + j].add(static_cast<double>(s.values[k]) *
                                                   d[i * classes + j]);
      check_close(out.values(), wanted);
    }
  }
}
