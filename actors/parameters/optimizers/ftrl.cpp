#include "actors/parameters/optimizers/element_rule.hpp"
#include "actors/parameters/optimizers/rules.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::parameters {

namespace {

/// FTRL-proximal with learning rates per coordinate: McMahan et al.: "Ad click prediction: a view
/// from the trenches", KDD 2013, algorithm 1.
///
///   n += g^2, q' = (beta + sqrt(n)) / lr, z += g - (q' - q) w, q = q',
///   w = 0 where |z| <= l1, else -(z - sign(z) l1) / (q + l2).
///
/// In the paper q is a function of n; here it is kept, since the learning rate may change from step
/// to step (schedules): 1 / q is the rate of the last update, so the sum of the paper's sigmas is q
/// whatever the rates were, and a parameter without a gradient stays where it is. At a constant
/// rate and from w = 0 that is algorithm 1 to the letter. A parameter that begins elsewhere is
/// pulled towards 0 by l1 and l2 alone.
class ftrl final : public element_rule<ftrl, 3, false> {
public:
  ftrl(instruction_set set, const optimizer_options& options)
      : element_rule(set), beta_(options.ftrl_beta), l1_(options.ftrl_l1), l2_(options.ftrl_l2) {}
  std::string_view name() const override { return "ftrl"; }

  auto element(float rate, std::uint64_t) const {
    // A schedule may fall to 0, which must not divide.
    return [rate = std::max(rate, 1e-30F), beta = beta_, l1 = l1_, l2 = l2_](
               float w, float g, float& z, float& squares, float& stiffness) GRADMESH_LOOP_BODY {
      squares += g * g;
      const float stiffer = (beta + std::sqrt(squares)) / rate;
      z += g - (stiffer - stiffness) * w;
      stiffness = stiffer;
      // Without a branch: 0 where |z| <= l1.
      const float beyond = std::fabs(z) - l1;
      const float length = (beyond > 0 ? beyond : 0) / (stiffer + l2);
      return 0 - std::copysign(length, z); // never -0
    };
  }

private:
  float beta_;
  float l1_;
  float l2_;
};

} // namespace

std::unique_ptr<optimizer> make_ftrl(const optimizer_options& options, instruction_set set) {
  return std::make_unique<ftrl>(set, options);
}

} // namespace gradmesh::parameters
