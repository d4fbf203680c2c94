#include "actors/parameters/optimizers/element_rule.hpp"
#include "actors/parameters/optimizers/rules.hpp"

#include <cmath>

namespace gradmesh::parameters {

namespace {

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

/// v = rho v + (1 - rho) g^2, w -= lr g / (sqrt(v) + eps). Tieleman, Hinton: "Lecture 6.5 -
/// RMSProp", Coursera: Neural networks for machine learning, 2012.
class rmsprop final : public element_rule<rmsprop, 1, false> {
public:
  rmsprop(instruction_set set, float rho, float epsilon)
      : element_rule(set), rho_(rho), epsilon_(epsilon) {}
  std::string_view name() const override { return "rmsprop"; }

  auto element(float rate, std::uint64_t) const {
    return [rate, rho = rho_, epsilon = epsilon_](float w, float g, float& square)
               GRADMESH_LOOP_BODY {
                 square = rho * square + (1 - rho) * g * g;
                 return w - rate * g / (std::sqrt(square) + epsilon);
               };
  }

private:
  float rho_;
  float epsilon_;
};

} // namespace

std::unique_ptr<optimizer> make_adagrad(const optimizer_options& options, instruction_set set) {
  return std::make_unique<adagrad>(set, options.epsilon);
}

std::unique_ptr<optimizer> make_rmsprop(const optimizer_options& options, instruction_set set) {
  return std::make_unique<rmsprop>(set, options.rho, options.epsilon);
}

} // namespace gradmesh::parameters
