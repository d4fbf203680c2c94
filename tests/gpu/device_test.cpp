/// What only a CUDA device can show. Without one every case here prints "skipped: " and why.

#include "tests/gpu/operand.hpp"
#include "tests/gpu/test_backends.hpp"
#include "tests/gpu/tiny_network.hpp"

using namespace gradmesh::gpu;

TEST_SUITE_BEGIN("cuda device");

namespace {

/// |got - wanted| / |wanted| of a product of random matrices large enough for tensor cores.
double product_error(backend& device) {
  constexpr std::size_t m = 256, k = 512, n = 192;
  operand_source source(5);
  const auto a = source.floats(m * k), b = source.floats(k * n);
  const operand<float> a_on(device, a), b_on(device, b), c_on(device, poison(m * n));
  device.multiply(1, a_on.matrix(m, k), transpose::no, b_on.matrix(k, n), transpose::no, 0,
                  c_on.matrix(m, n));
  const auto c = c_on.values();
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double wanted = 0;
      for (std::size_t p = 0; p < k; ++p)
        wanted += double{a[i * k + p]} * b[p * n + j];
      difference += (c[i * n + j] - wanted) * (c[i * n + j] - wanted);
      size += wanted * wanted;
    }
  return std::sqrt(difference / size);
}

} // namespace

TEST_CASE("products round as the chosen precision does") {
  const auto exact = test_device();
  if (!exact) return;
  CHECK(product_error(*exact) < 1e-6);
  const auto tf32 = test_device({.precision = product_precision::tf32});
  const auto tf32_error = product_error(*tf32);
  CHECK(tf32_error < 1e-3);
  CHECK(tf32_error > 1e-6); // the tensor cores were used
  const auto bf16 = test_device({.precision = product_precision::bfloat16});
  const auto bf16_error = product_error(*bf16);
  CHECK(bf16_error < 1e-2);
  CHECK(bf16_error > tf32_error);
}

TEST_CASE("the same steps give the same bits again on the device") {
  const auto first = test_device();
  if (!first) return;
  const auto second = test_device();
  tiny_network a(*first), b(*second);
  for (std::uint64_t step = 1; step <= 50; ++step) {
    a.step(step);
    b.step(step);
  }
  CHECK(a.parameters() == b.parameters());
}

TEST_CASE("a wide softmax and long columns give the double loop's result") {
  const auto device = test_device();
  if (!device) return;
  for (const std::size_t columns : {32U, 33U, 128U, 129U, 512U, 513U, 5000U}) {
    CAPTURE(columns);
    constexpr std::size_t rows = 1000;
    operand_source source(columns);
    const auto z = source.floats(rows * columns);
    std::vector<std::int32_t> labels(rows);
    for (auto& label : labels)
      label = static_cast<std::int32_t>(source.below(columns));
    const operand<float> z_on(*device, z), sums(*device, poison(columns));
    const operand<std::int32_t> labels_on(*device, labels);
    const operand<batch_metrics> metrics(*device, {{std::nan(""), 99}});
    device->sum_rows(z_on.matrix(rows, columns), sums.span());
    device->softmax_cross_entropy(labels_on.span(), 1, z_on.matrix(rows, columns), metrics.span());

    std::vector<reference_sum> column_sums(columns), gradient(rows * columns);
    double loss = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < columns; ++j) {
        column_sums[j].add(z[i * columns + j]);
        sum += std::exp(double{z[i * columns + j]});
      }
      loss += std::log(sum) - z[i * columns + static_cast<std::size_t>(labels[i])];
      for (std::size_t j = 0; j < columns; ++j) {
        gradient[i * columns + j].add(std::exp(double{z[i * columns + j]}) / sum);
        if (static_cast<std::int32_t>(j) == labels[i]) gradient[i * columns + j].add(-1);
      }
    }
    check_close(sums.values(), column_sums);
    check_close(z_on.values(), gradient);
    CHECK(metrics.values()[0].loss_sum == doctest::Approx(loss).epsilon(1e-6));
  }
}

TEST_CASE("copies through the staging memory bring large blocks unchanged") {
  const auto device = test_device();
  if (!device) return;
  operand_source source(8);
  const auto values = source.floats(std::size_t{25} << 20); // more than the staging memory
  const operand<float> on_device(*device, values);
  CHECK(on_device.values() == values);
}

TEST_CASE("more memory than is allowed is refused with the numbers") {
  const auto device = test_device({.memory_bytes_max = std::size_t{64} << 20});
  if (!device) return;
  buffer<float> memory(*device);
  CHECK(memory.scratch(std::size_t{1} << 26).data == nullptr);
  CHECK(device->wait().kind == fault_kind::out_of_memory);
  CHECK(device->wait().text.find("268435456 bytes") != std::string::npos);
}

TEST_SUITE_END();

TEST_CASE("a device that is not there is refused by name, with what there is") {
  const auto made = make_cuda_backend({.device = 4096});
  CHECK_FALSE(made.made);
  CHECK(made.why.kind == fault_kind::no_device);
  CHECK(made.why.text.starts_with("cuda:4096: "));
  CHECK(cuda_devices().devices.empty() == static_cast<bool>(cuda_devices().why));
}
