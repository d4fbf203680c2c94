#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"

#include <algorithm>

using namespace gradmesh::gpu;

namespace {

const float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<reference_sum> exactly(const std::vector<double>& values) {
  std::vector<reference_sum> sums(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    sums[i].add(values[i]);
  return sums;
}

} // namespace

TEST_CASE("a bias is added to every row, with and without ReLU") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = 1 + source.below(40), columns = 1 + source.below(70);
      const auto x = source.floats(rows * columns), bias = source.floats(columns);
      for (const auto f : {activation::none, activation::relu}) {
        const operand<float> x_on(*device, x), bias_on(*device, bias);
        device->add_bias(bias_on.span(), f, x_on.matrix(rows, columns));

        std::vector<reference_sum> wanted(rows * columns);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          wanted[i].add(x[i]);
          wanted[i].add(bias[i % columns]);
          if (f == activation::relu) wanted[i].value = std::max(wanted[i].value, 0.0);
        }
        check_close(x_on.values(), wanted);
      }
    }
  }
}

TEST_CASE("ReLU keeps a NaN, so that a diverged model is seen in the loss") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    const operand<float> x(*device, {not_a_number, -1, 2}), bias(*device, {0, 0, 0});
    device->add_bias(bias.span(), activation::relu, x.matrix(1, 3));
    const auto got = x.values();
    CHECK(std::isnan(got[0]));
    CHECK(got[1] == 0);
    CHECK(got[2] == 2);
  }
}

TEST_CASE("the gradient of ReLU is cut where its output was zero") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = 1 + source.below(40), columns = 1 + source.below(70);
      auto y = source.floats(rows * columns);
      for (auto& v : y)
        v = std::max(v, 0.0F);
      const auto g = source.floats(rows * columns);

      const operand<float> y_on(*device, y), g_on(*device, g);
      device->relu_backward(y_on.matrix(rows, columns), g_on.matrix(rows, columns));
      std::vector<double> wanted(g.begin(), g.end());
      for (std::size_t i = 0; i < y.size(); ++i)
        if (!(y[i] > 0)) wanted[i] = 0;
      check_close(g_on.values(), exactly(wanted));
    }
  }
}

TEST_CASE("softmax cross-entropy gives loss, correct count and gradient of the double loop") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = 1 + source.below(40), classes = 1 + source.below(70);
      auto z = source.floats(rows * classes);
      for (auto& v : z)
        v *= 90; // exp(90) is beyond float
      std::vector<std::int32_t> labels(rows);
      for (auto& label : labels)
        label = static_cast<std::int32_t>(source.below(classes));
      const float scale = 0.25F;

      double loss = 0;
      std::uint64_t correct = 0;
      std::vector<double> wanted(rows * classes);
      for (std::size_t i = 0; i < rows; ++i) {
        const auto row = z.begin() + i * classes;
        const double largest = *std::max_element(row, row + classes);
        double sum = 0;
        for (std::size_t j = 0; j < classes; ++j)
          sum += std::exp(row[j] - largest);
        for (std::size_t j = 0; j < classes; ++j)
          wanted[i * classes + j] = scale * std::exp(row[j] - largest) / sum;
        wanted[i * classes + labels[i]] -= scale;
        loss += std::log(sum) + largest - row[labels[i]];
        correct += std::max_element(row, row + classes) - row == labels[i];
      }

      const operand<std::int32_t> labels_on(*device, labels);
      const operand<float> z_on(*device, z);
      const operand<batch_metrics> metrics(*device, {{std::nan(""), 99}});
      device->softmax_cross_entropy(labels_on.span(), scale, z_on.matrix(rows, classes),
                                    metrics.span());
      CHECK(metrics.values()[0].loss_sum == doctest::Approx(loss).epsilon(1e-6));
      CHECK(metrics.values()[0].correct == correct);
      const auto got = z_on.values();
      for (std::size_t i = 0; i < got.size(); ++i) {
        CAPTURE(i);
        CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("a NaN anywhere among the logits makes the loss NaN") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (std::size_t at = 0; at < 3; ++at) {
      CAPTURE(at);
      std::vector<float> z{1, 2, 3};
      z[at] = not_a_number;
      const operand<float> z_on(*device, z);
      const operand<std::int32_t> labels(*device, {1});
      const operand<batch_metrics> metrics(*device, {{}});
      device->softmax_cross_entropy(labels.span(), 1, z_on.matrix(1, 3), metrics.span());
      CHECK(std::isnan(metrics.values()[0].loss_sum));
    }
  }
}

TEST_CASE("rows are summed by column, and no rows give zeros") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto rows = source.below(40), columns = 1 + source.below(70);
      const auto x = source.floats(rows * columns);
      const operand<float> x_on(*device, x), out(*device, poison(columns));
      device->sum_rows(x_on.matrix(rows, columns), out.span());
      std::vector<reference_sum> wanted(columns);
      for (std::size_t i = 0; i < x.size(); ++i)
        wanted[i % columns].add(x[i]);
      check_close(out.values(), wanted);
    }
  }
}

TEST_CASE("vectors are filled, scaled and added") {
  for (const auto& device : test_backends()) {
    CAPTURE(device->name());
    for (const auto seed : test_seeds()) {
      CAPTURE(seed);
      operand_source source(seed);
      const auto size = source.below(100);
      const auto x = source.floats(size), y = source.floats(size);
      const float alpha = source.floats(1)[0];

      const operand<float> x_on(*device, x), y_on(*device, y), filled(*device, poison(size));
      device->add_scaled(alpha, x_on.span(), y_on.span());
      device->scale(alpha, x_on.span());
      device->fill(alpha, filled.span());

      std::vector<reference_sum> sum(size), scaled(size);
      for (std::size_t i = 0; i < size; ++i) {
        sum[i].add(y[i]);
        sum[i].add(static_cast<double>(alpha) * x[i]);
        scaled[i].add(static_cast<double>(alpha) * x[i]);
      }
      check_close(y_on.values(), sum);
      check_close(x_on.values(), scaled);
      CHECK(filled.values() == std::vector<float>(size, alpha));
    }
  }
}
