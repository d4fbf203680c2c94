#include "actors/learning/initialize.hpp"
#include "tests/gpu/lane_backend.hpp"
#include "tests/gpu/test_backends.hpp"
#include "tests/support/random_data.hpp"
#include "tests/unit/learning/flat_model.hpp"
#include "tools/simulation/oracle.hpp"

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

constexpr std::size_t steps = 200;
constexpr std::size_t batch_size = 32;

/// The batch of a step, going round and round through the data.
dataset batch_of(const dataset& data, std::size_t step) {
  dataset batch{data.shape, {}, {0}, {}, {}};
  for (std::size_t n = 0; n < batch_size; ++n) {
    const auto i = (step * batch_size + n) % data.size();
    const bool sparse = data.shape.kind == layout::sparse;
    const auto first = sparse ? data.offsets[i] : i * data.shape.features;
    const auto last = sparse ? data.offsets[i + 1] : first + data.shape.features;
    batch.labels.push_back(data.labels[i]);
    for (auto k = first; k < last; ++k) {
      if (sparse) batch.indices.push_back(data.indices[k]);
      batch.values.push_back(data.values[k]);
    }
    batch.offsets.push_back(static_cast<std::uint32_t>(batch.indices.size()));
  }
  if (data.shape.kind == layout::dense) batch.offsets.clear();
  return batch;
}

std::vector<float> initial(flat_model& model) {
  std::vector<float> parameters(model.size(), 0);
  if (model.model().tables()[0].kind == table_kind::dense)
    fill_initial_dense(model.model().tables(), 7, 0, parameters);
  return parameters;
}

/// Plain SGD in float32.
std::vector<float> train(const dataset& data, const model_options& options, float rate,
                         std::unique_ptr<gpu::backend> backend = gpu::make_cpu_backend()) {
  flat_model model(data.shape, options, std::move(backend));
  auto parameters = initial(model);
  std::vector<float> gradient;
  for (std::size_t s = 0; s < steps; ++s) {
    const auto batch = batch_of(data, s);
    REQUIRE(model.forward_backward(batch.view(), parameters, 1.0F / batch_size, gradient));
    for (std::size_t i = 0; i < gradient.size(); ++i)
      parameters[i] -= rate * gradient[i];
  }
  return parameters;
}

void check_against_oracle(const dataset& data, const model_options& options, float rate) {
  flat_model model(data.shape, options);
  const auto start = initial(model);
  simulation::oracle reference(data.shape, options.hidden, {.kind = "sgd", .learning_rate = rate});
  reference.parameters().assign(start.begin(), start.end());
  const auto before = reference.evaluate(data.view()).loss;
  for (std::size_t s = 0; s < steps; ++s) {
    const auto batch = batch_of(data, s);
    reference.step(batch.view(), 1.0 / batch_size);
  }
  // The run must have gone somewhere, or the comparison says nothing.
  CHECK(reference.evaluate(data.view()).loss < 0.8 * before);

  const auto trained = train(data, options, rate);
  const auto error =
      simulation::relative_error({trained.begin(), trained.end()}, reference.parameters());
  CAPTURE(error);
  CHECK(error <= 1e-5);
}

} // namespace

TEST_CASE("200 steps of sparse softmax regression stay within 1e-5 of the float64 oracle") {
  check_against_oracle(testing::random_sparse(11, 1000, 126, 2, 22, true), {}, 0.3F);
}

TEST_CASE("200 steps of dense softmax regression stay within 1e-5 of the float64 oracle") {
  check_against_oracle(testing::random_dense(12, 1000, 28, 5), {}, 0.3F);
}

TEST_CASE("200 steps of an MLP stay within 1e-5 of the float64 oracle") {
  check_against_oracle(testing::random_dense(13, 1000, 20, 3), {"mlp", {32, 16}, 0}, 0.1F);
}

TEST_CASE("training again gives the same bits, also on a backend with its own memory") {
  const auto sparse = testing::random_sparse(14, 300, 126, 3, 22, true);
  const auto dense = testing::random_dense(15, 300, 20, 3);
  const model_options mlp{"mlp", {33, 17}, 0.01F};
  for (const auto& [data, options] : {std::pair{sparse, model_options{}}, std::pair{dense, mlp}}) {
    const auto first = train(data, options, 0.1F);
    CHECK(train(data, options, 0.1F) == first);
    CHECK(train(data, options, 0.1F, gpu::make_cpu_backend(gpu::host_memory::copied)) == first);
  }
}

TEST_CASE("copies beside computations change no bit of a trained model") {
  const auto sparse = testing::random_sparse(16, 300, 126, 3, 22, true);
  const auto dense = testing::random_dense(17, 300, 20, 3);
  const model_options mlp{"mlp", {33, 17}, 0.01F};
  for (const auto& [data, options] : {std::pair{sparse, model_options{}}, std::pair{dense, mlp}}) {
    const auto wanted = train(data, options, 0.1F);
    const auto seed = gpu::test_seeds().back();
    CAPTURE(seed);
    CHECK(train(data, options, 0.1F, gpu::make_lane_backend({.seed = seed})) == wanted);
  }
}

TEST_CASE("every device trains the same models within 1e-4 after 200 steps") {
  const auto dense = testing::random_dense(18, 1000, 20, 3);
  const auto sparse = testing::random_sparse(19, 1000, 126, 3, 22, true);
  const model_options mlp{"mlp", {64, 32}, 0.001F};
  for (const auto& [data, options] : {std::pair{sparse, model_options{}}, std::pair{dense, mlp}}) {
    const auto on_cpu = train(data, options, 0.1F);
    for (auto& device : gpu::test_backends()) {
      const std::string name(device->name());
      CAPTURE(name);
      const auto on_device = train(data, options, 0.1F, std::move(device));
      CHECK(simulation::relative_error({on_device.begin(), on_device.end()},
                                       {on_cpu.begin(), on_cpu.end()}) <= 1e-4);
    }
  }
}
