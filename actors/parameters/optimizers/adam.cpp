#include "actors/parameters/optimizers/element_rule.hpp"
#include "actors/parameters/optimizers/rules.hpp"
#include "actors/parameters/portable_math.hpp"

#include <cmath>

namespace gradmesh::parameters {

namespace {

/// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
/// Kingma, Ba: "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1. On sparse rows
/// t counts the updates of the row ("lazy Adam").
class adam final : public element_rule<adam, 2, true> {
public:
  adam(instruction_set set, const optimizer_options& options)
      : element_rule(set), beta1_(options.beta1), beta2_(options.beta2), epsilon_(options.epsilon) {
  }
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

/// Adam, and w -= lr d w besides: the decay does not pass through the moments.
/// Loshchilov, Hutter: "Decoupled weight decay regularization", ICLR 2019, algorithm 2, with the
/// learning rate as a factor of the decay, as in PyTorch.
class adamw final : public element_rule<adamw, 2, true> {
public:
  adamw(instruction_set set, const optimizer_options& options)
      : element_rule(set), adam_(set, options), weight_decay_(options.weight_decay) {}
  std::string_view name() const override { return "adamw"; }

  auto element(float rate, std::uint64_t step) const {
    return [adam = adam_.element(rate, step),
            lost = rate * weight_decay_](float w, float g, float& mean, float& square)
        // Not (1 - lost) w: what rounding takes from that factor adds up, step after step.
        GRADMESH_LOOP_BODY { return adam(w - lost * w, g, mean, square); };
  }

private:
  adam adam_;
  float weight_decay_;
};

} // namespace

std::unique_ptr<optimizer> make_adam(const optimizer_options& options, instruction_set set) {
  return std::make_unique<adam>(set, options);
}

std::unique_ptr<optimizer> make_adamw(const optimizer_options& options, instruction_set set) {
  return std::make_unique<adamw>(set, options);
}

} // namespace gradmesh::parameters
