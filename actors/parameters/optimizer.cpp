#include "actors/parameters/optimizer.hpp"

#include <fmt/format.h>

#include <cmath>

// The file is compiled without errno for sqrt, so that it can be vectorised.

namespace gradmesh::parameters {

namespace {

/// w -= lr g. Robbins and Monro: "A stochastic approximation method", 1951.
class sgd final : public optimizer {
public:
  explicit sgd(instruction_set set) : set_(set) {}

  std::string_view name() const override { return "sgd"; }
  std::size_t state_floats_per_parameter() const override { return 0; }
  bool counts_steps() const override { return false; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float>, float learning_rate, std::uint64_t) const override {
    const float* before = from.data();
    float* after = to.data();
    const float* gradient = g.data();
    for_each_index(set_, g.size(), [=](std::size_t i) GRADMESH_LOOP_BODY {
      after[i] = before[i] - learning_rate * gradient[i];
    });
  }

private:
  instruction_set set_;
};

/// v = mu v + g, w -= lr v. Polyak: "Some methods of speeding up the convergence of iteration
/// methods", 1964; in the form of PyTorch's SGD, where the learning rate is outside v.
class momentum final : public optimizer {
public:
  momentum(instruction_set set, float mu) : set_(set), mu_(mu) {}

  std::string_view name() const override { return "momentum"; }
  std::size_t state_floats_per_parameter() const override { return 1; }
  bool counts_steps() const override { return false; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float> state, float learning_rate, std::uint64_t) const override {
    const float* before = from.data();
    float* after = to.data();
    const float* gradient = g.data();
    float* velocity = state.data();
    const auto mu = mu_;
    for_each_index(set_, g.size(), [=](std::size_t i) GRADMESH_LOOP_BODY {
      velocity[i] = mu * velocity[i] + gradient[i];
      after[i] = before[i] - learning_rate * velocity[i];
    });
  }

private:
  instruction_set set_;
  float mu_;
};

/// G += g^2, w -= lr g / (sqrt(G) + eps). Duchi, Hazan, Singer: "Adaptive subgradient methods for
/// online learning and stochastic optimization", JMLR 12, 2011 (diagonal form).
class adagrad final : public optimizer {
public:
  adagrad(instruction_set set, float epsilon) : set_(set), epsilon_(epsilon) {}

  std::string_view name() const override { return "adagrad"; }
  std::size_t state_floats_per_parameter() const override { return 1; }
  bool counts_steps() const override { return false; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float> state, float learning_rate, std::uint64_t) const override {
    const float* before = from.data();
    float* after = to.data();
    const float* gradient = g.data();
    float* squares = state.data();
    const auto epsilon = epsilon_;
    for_each_index(set_, g.size(), [=](std::size_t i) GRADMESH_LOOP_BODY {
      squares[i] += gradient[i] * gradient[i];
      after[i] = before[i] - learning_rate * gradient[i] / (std::sqrt(squares[i]) + epsilon);
    });
  }

private:
  instruction_set set_;
  float epsilon_;
};

/// base^exponent by squaring: the same bits with every C library, and quick for a row of one float.
double power(double base, std::uint64_t exponent) {
  double result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

/// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
/// Kingma, Ba: "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1. On sparse rows
/// t counts the updates of the row ("lazy Adam").
class adam final : public optimizer {
public:
  adam(instruction_set set, float beta1, float beta2, float epsilon)
      : set_(set), beta1_(beta1), beta2_(beta2), epsilon_(epsilon) {}

  std::string_view name() const override { return "adam"; }
  std::size_t state_floats_per_parameter() const override { return 2; }
  bool counts_steps() const override { return true; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float> state, float learning_rate, std::uint64_t step) const override {
    const float* before = from.data();
    float* after = to.data();
    const float* gradient = g.data();
    float* mean = state.data();
    float* square = state.data() + g.size();
    const auto beta1 = beta1_;
    const auto beta2 = beta2_;
    const auto epsilon = epsilon_;
    const auto mean_scale = static_cast<float>(1 / (1 - power(beta1, step)));
    const auto square_scale = static_cast<float>(1 / (1 - power(beta2, step)));
    for_each_index(set_, g.size(), [=](std::size_t i) GRADMESH_LOOP_BODY {
      mean[i] = beta1 * mean[i] + (1 - beta1) * gradient[i];
      square[i] = beta2 * square[i] + (1 - beta2) * gradient[i] * gradient[i];
      after[i] = before[i] - learning_rate * (mean[i] * mean_scale) /
                                 (std::sqrt(square[i] * square_scale) + epsilon);
    });
  }

private:
  instruction_set set_;
  float beta1_;
  float beta2_;
  float epsilon_;
};

result<void> check_positive(std::string_view name, float value) {
  if (std::isfinite(value) && value > 0) return {};
  return {errc::invalid_argument,
          fmt::format("optimizer option {} is {}; use a finite number above 0", name, value)};
}

result<void> check_decay(std::string_view name, float value) {
  if (value >= 0 && value < 1) return {};
  return {errc::invalid_argument,
          fmt::format("optimizer option {} is {}; use a number from 0 to below 1", name, value)};
}

} // namespace

result<std::unique_ptr<optimizer>> make_optimizer(const optimizer_options& options,
                                                  instruction_set set) {
  for (const auto& ok :
       {check_positive("learning_rate", options.learning_rate),
        check_positive("epsilon", options.epsilon), check_decay("momentum", options.momentum),
        check_decay("beta1", options.beta1), check_decay("beta2", options.beta2)})
    if (!ok) return ok.failure();

  std::unique_ptr<optimizer> rule;
  if (options.kind == "sgd") rule = std::make_unique<sgd>(set);
  if (options.kind == "momentum") rule = std::make_unique<momentum>(set, options.momentum);
  if (options.kind == "adagrad") rule = std::make_unique<adagrad>(set, options.epsilon);
  if (options.kind == "adam")
    rule = std::make_unique<adam>(set, options.beta1, options.beta2, options.epsilon);
  if (!rule)
    return {
        errc::invalid_argument,
        fmt::format("unknown optimizer '{}'; use sgd, momentum, adagrad or adam", options.kind)};
  return rule;
}

} // namespace gradmesh::parameters
