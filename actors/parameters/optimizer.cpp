#include "actors/parameters/optimizer.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

// The file is compiled without errno for sqrt, so that it can be vectorised.

namespace gradmesh::parameters {

namespace {

/// Adds one to the count of updates that is kept, as an integer, in the place of a float.
std::uint32_t count_update(float* place) {
  std::uint32_t count = 0;
  std::memcpy(&count, place, sizeof count);
  if (count != UINT32_MAX) ++count;
  std::memcpy(place, &count, sizeof count);
  return count;
}

/// The loops of a rule. `Rule` says what happens to one parameter: `element(learning_rate, step)`
/// gives a function of the parameter, its gradient and references to its state, whose result is the
/// parameter after the update.
template <class Rule, std::size_t States, bool CountsSteps>
class element_rule : public optimizer {
public:
  explicit element_rule(instruction_set set) : set_(set) {}

  std::size_t state_floats_per_parameter() const final { return States; }
  bool counts_steps() const final { return CountsSteps; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float> state, float learning_rate, std::uint64_t step) const final {
    const auto element = static_cast<const Rule*>(this)->element(learning_rate, step);
    const auto n = g.size();
    for_each_index(set_, n,
                   [=, before = from.data(), after = to.data(), gradient = g.data(),
                    states = state.data()](std::size_t i) GRADMESH_LOOP_BODY {
                     after[i] = updated(element, before[i], gradient[i], states + i, n);
                   });
  }

  void update_rows(std::span<float* const> rows, std::size_t width, const float* gradients,
                   float learning_rate) const final {
    if (width == 1 && !CountsSteps) {
      // A call for each would cost more than the update.
      const auto element = static_cast<const Rule*>(this)->element(learning_rate, 1);
      for_each_index(set_, rows.size(), [=, at = rows.data()](std::size_t i) GRADMESH_LOOP_BODY {
        float* row = at[i];
        row[0] = updated(element, row[0], gradients[i], row + 1, 1);
      });
      return;
    }
    for (float* row : rows) {
      const auto step = CountsSteps ? count_update(row + width * (1 + States)) : 0;
      update({row, width}, {row, width}, {gradients, width}, {row + width, States * width},
             learning_rate, step);
      gradients += width;
    }
  }

private:
  /// `state`: the first state of this parameter; the others follow at distances of `stride`.
  template <class Element>
  [[gnu::always_inline]] static float updated(const Element& element, float w, float g,
                                              float* state, std::size_t stride) {
    if constexpr (States == 0) return element(w, g);
    if constexpr (States == 1) return element(w, g, state[0]);
    if constexpr (States == 2) return element(w, g, state[0], state[stride]);
  }

  instruction_set set_;
};

/// w -= lr g. Robbins and Monro: "A stochastic approximation method", 1951.
class sgd final : public element_rule<sgd, 0, false> {
public:
  using element_rule::element_rule;
  std::string_view name() const override { return "sgd"; }

  auto element(float rate, std::uint64_t) const {
    return [=](float w, float g) GRADMESH_LOOP_BODY { return w - rate * g; };
  }
};

/// v = mu v + g, w -= lr v. Polyak: "Some methods of speeding up the convergence of iteration
/// methods", 1964; in the form of PyTorch's SGD, where the learning rate is outside v.
class momentum final : public element_rule<momentum, 1, false> {
public:
  momentum(instruction_set set, float mu) : element_rule(set), mu_(mu) {}
  std::string_view name() const override { return "momentum"; }

  auto element(float rate, std::uint64_t) const {
    return [rate, mu = mu_](float w, float g, float& velocity) GRADMESH_LOOP_BODY {
      velocity = mu * velocity + g;
      return w - rate * velocity;
    };
  }

private:
  float mu_;
};

/// G += g^2, w -= lr g / (sqrt(G) + eps). Duchi, Hazan, Singer: "Adaptive subgradient methods for
/// online learning and stochastic optimization", JMLR 12, 2011 (diagonal form).
class adagrad final : public element_rule<adagrad, 1, false> {
public:
  adagrad(instruction_set set, float epsilon) : element_rule(set), epsilon_(epsilon) {}
  std::string_view name() const override { return "adagrad"; }

  auto element(float rate, std::uint64_t) const {
    return [rate, epsilon = epsilon_](float w, float g, float& squares) GRADMESH_LOOP_BODY {
      squares += g * g;
      return w - rate * g / (std::sqrt(squares) + epsilon);
    };
  }

private:
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
class adam final : public element_rule<adam, 2, true> {
public:
  adam(instruction_set set, float beta1, float beta2, float epsilon)
      : element_rule(set), beta1_(beta1), beta2_(beta2), epsilon_(epsilon) {}
  std::string_view name() const override { return "adam"; }

  auto element(float rate, std::uint64_t step) const {
    return [rate, beta1 = beta1_, beta2 = beta2_, epsilon = epsilon_,
            mean_scale = static_cast<float>(1 / (1 - power(beta1_, step))),
            square_scale = static_cast<float>(1 / (1 - power(beta2_, step)))](
               float w, float g, float& mean, float& square) GRADMESH_LOOP_BODY {
      mean = beta1 * mean + (1 - beta1) * g;
      square = beta2 * square + (1 - beta2) * g * g;
      return w - rate * (mean * mean_scale) / (std::sqrt(square * square_scale) + epsilon);
    };
  }

private:
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
