#include "gpu/cpu_backend.hpp"
#include "gpu/driver_fault.hpp"
#include "tests/gpu/operand.hpp"

#include <limits>
#include <string>

using namespace gradmesh::gpu;

TEST_CASE("operands that do not fit are a fault that names the operation and the shapes") {
  const auto cpu = make_cpu_backend();
  const operand<float> a(*cpu, poison(6)), b(*cpu, poison(8)), c(*cpu, poison(4));
  cpu->multiply(1, a.matrix(2, 3), transpose::no, b.matrix(4, 2), transpose::no, 0, c.matrix(2, 2));
  const auto& fault = cpu->wait();
  CHECK(fault.kind == fault_kind::bad_shape);
  CHECK(fault.text.find("multiply: operands of 2 x 3, 4 x 2, 2 x 2") != std::string::npos);
}

TEST_CASE("every operation refuses operands that do not fit") {
  const auto refused = [](auto enqueue) {
    const auto cpu = make_cpu_backend();
    const operand<float> six(*cpu, poison(6)), four(*cpu, poison(4));
    const operand<std::int32_t> labels(*cpu, {0, 0, 0});
    const operand<std::uint32_t> offsets(*cpu, {0, 1, 1, 1, 1}), columns(*cpu, {0});
    const operand<float> value(*cpu, {1});
    const operand<batch_metrics> metrics(*cpu, {{}});
    const csr_matrix sparse{offsets.span(), columns.span(), value.span(), 0};
    enqueue(*cpu, six, four, labels, sparse, metrics);
    return cpu->wait().kind == fault_kind::bad_shape;
  };
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto& sparse, auto&) {
    cpu.multiply_sparse(sparse, four.matrix(2, 2), six.matrix(3, 2));
  }));
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto& sparse, auto&) {
    cpu.add_sparse_transposed(sparse, six.matrix(3, 2), four.matrix(2, 2));
  }));
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto&, auto&) {
    cpu.add_bias(four.span(), activation::relu, six.matrix(2, 3));
  }));
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto&, auto&) {
    cpu.relu_backward(six.matrix(3, 2), four.matrix(2, 2));
  }));
  CHECK(refused([](auto& cpu, auto&, auto& four, auto& labels, auto&, auto& metrics) {
    cpu.softmax_cross_entropy(labels.span(), 1, four.matrix(2, 2), metrics.span());
  }));
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto&, auto&) {
    cpu.sum_rows(six.matrix(2, 3), four.span());
  }));
  CHECK(refused([](auto& cpu, auto& six, auto& four, auto&, auto&, auto&) {
    cpu.add_scaled(1, six.span(), four.span());
  }));
}

TEST_CASE("the first fault stays and later operations do nothing") {
  const auto cpu = make_cpu_backend();
  const operand<float> x(*cpu, {1, 2, 3});
  const operand<float> y(*cpu, {1, 2});
  cpu->add_scaled(1, x.span(), y.span());
  const auto first = cpu->wait().text;
  REQUIRE_FALSE(first.empty());

  cpu->fill(7, x.span());
  cpu->sum_rows(x.matrix(1, 3), y.span());
  CHECK(cpu->wait().text == first);
  CHECK(x.span().data[0] == 1); // a CPU backend's memory may be looked at
}

TEST_CASE("memory that cannot be had is a fault that names the size") {
  const auto cpu = make_cpu_backend();
  buffer<char> memory(*cpu);
  const auto view = memory.scratch(std::numeric_limits<std::size_t>::max() - 8);
  CHECK(view.data == nullptr);
  CHECK(view.size == 0);
  CHECK(cpu->wait().kind == fault_kind::out_of_memory);
  CHECK(cpu->wait().text.find("18446744073709551607 bytes") != std::string::npos);
}

TEST_CASE("a count whose bytes do not fit in a size is out of memory, not a small buffer") {
  const auto cpu = make_cpu_backend();
  buffer<float> memory(*cpu);
  CHECK(memory.scratch(std::numeric_limits<std::size_t>::max() / 4 + 2).data == nullptr);
  CHECK(cpu->wait().kind == fault_kind::out_of_memory);
}

TEST_CASE("a backend that shares host memory works on it where it lies") {
  const auto cpu = make_cpu_backend(host_memory::shared);
  const std::vector<float> in{1, 2, 3};
  std::vector<float> out(3);
  buffer<float> in_memory(*cpu), out_memory(*cpu);
  CHECK(in_memory.upload(in).data == in.data());
  CHECK(out_memory.output(out).data == out.data());
}

TEST_CASE("a backend with its own memory copies in and out") {
  const auto cpu = make_cpu_backend(host_memory::copied);
  std::vector<float> in{1, 2, 3}, out{0, 0, 0};
  buffer<float> in_memory(*cpu), out_memory(*cpu);
  const auto in_view = in_memory.upload(in);
  const auto out_view = out_memory.output(out);
  CHECK(in_view.data != in.data());
  CHECK(out_view.data != out.data());

  cpu->fill(0, out_view);
  cpu->add_scaled(2, in_view, out_view);
  out_memory.download(out);
  REQUIRE_FALSE(cpu->wait());
  CHECK(out == std::vector<float>{2, 4, 6});
}

TEST_CASE("a buffer allocates only when it must grow") {
  const auto cpu = make_cpu_backend();
  buffer<float> memory(*cpu);
  const auto* first = memory.scratch(100).data;
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  CHECK(memory.scratch(10).data == first);
  CHECK(memory.scratch(10).size == 10);
  CHECK(memory.scratch(100).data == first);
}

TEST_CASE("a driver that is older than the toolkit is told apart from none") {
  CHECK(driver_fault(0, 13000).text == "there is no NVIDIA driver on this machine");
  const auto old = driver_fault(12040, 13000);
  CHECK(old.kind == fault_kind::no_device);
  CHECK(old.text == "the NVIDIA driver is for CUDA 12.4 and older than this build's CUDA 13.0; "
                    "install a newer driver, or build with an older toolkit");
}
