#include "actors/parameters/optimizers/element_rule.hpp"
#include "actors/parameters/optimizers/rules.hpp"

namespace gradmesh::parameters {

namespace {

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

/// v = mu v + g, w -= lr (g + mu v). Nesterov: "A method of solving a convex programming problem
/// with convergence rate O(1/k^2)", 1983; in the form of Sutskever, Martens, Dahl, Hinton: "On the
/// importance of initialization and momentum in deep learning", ICML 2013, with w at the point
/// where the gradient is taken, as in PyTorch's SGD.
class nesterov final : public element_rule<nesterov, 1, false> {
public:
  nesterov(instruction_set set, float mu) : element_rule(set), mu_(mu) {}
  std::string_view name() const override { return "nesterov"; }

  auto element(float rate, std::uint64_t) const {
    return [rate, mu = mu_](float w, float g, float& velocity) GRADMESH_LOOP_BODY {
      velocity = mu * velocity + g;
      return w - rate * (g + mu * velocity);
    };
  }

private:
  float mu_;
};

} // namespace

std::unique_ptr<optimizer> make_sgd(const optimizer_options&, instruction_set set) {
  return std::make_unique<sgd>(set);
}

std::unique_ptr<optimizer> make_momentum(const optimizer_options& options, instruction_set set) {
  return std::make_unique<momentum>(set, options.momentum);
}

std::unique_ptr<optimizer> make_nesterov(const optimizer_options& options, instruction_set set) {
  return std::make_unique<nesterov>(set, options.momentum);
}

} // namespace gradmesh::parameters
