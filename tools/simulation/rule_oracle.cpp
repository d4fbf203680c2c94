#include "tools/simulation/rule_oracle.hpp"

#include <cmath>

namespace gradmesh::simulation {

double rule_oracle::updated(const oracle_rule& rule, double w, double g, double rate) {
  steps_ += 1;
  const double mu = rule.momentum, b1 = rule.beta1, b2 = rule.beta2, eps = rule.epsilon;
  if (rule.kind == "momentum" || rule.kind == "nesterov") {
    velocity_ = mu * velocity_ + g;
    return w - rate * (rule.kind == "momentum" ? velocity_ : g + mu * velocity_);
  }
  if (rule.kind == "adagrad") {
    square_ += g * g;
    return w - rate * g / (std::sqrt(square_) + eps);
  }
  if (rule.kind == "rmsprop") {
    square_ = rule.rho * square_ + (1 - double{rule.rho}) * g * g;
    return w - rate * g / (std::sqrt(square_) + eps);
  }
  if (rule.kind == "adam" || rule.kind == "adamw") {
    mean_ = b1 * mean_ + (1 - b1) * g;
    square_ = b2 * square_ + (1 - b2) * g * g;
    const double mean = mean_ / (1 - std::pow(b1, steps_));
    const double square = square_ / (1 - std::pow(b2, steps_));
    const double decay = rule.kind == "adamw" ? double{rule.weight_decay} : 0.0;
    return w - rate * (mean / (std::sqrt(square) + eps) + decay * w);
  }
  if (rule.kind == "ftrl") {
    // What is minimised: sum g_s w + 1/2 sum sigma_s (w - w_s)^2 + l1 |w| + l2/2 w^2, where the
    // sigmas add up to 1 / (learning rate of the coordinate).
    square_ += g * g;
    const double sigma = (rule.ftrl_beta + std::sqrt(square_)) / rate - sigmas_;
    gradients_ += g;
    sigmas_ += sigma;
    pulls_ += sigma * w;
    const double slope = gradients_ - pulls_;
    if (std::fabs(slope) <= rule.ftrl_l1) return 0;
    const double sign = slope < 0 ? -1 : 1;
    return -(slope - sign * rule.ftrl_l1) / (sigmas_ + rule.ftrl_l2);
  }
  return w - rate * g; // sgd
}

} // namespace gradmesh::simulation
