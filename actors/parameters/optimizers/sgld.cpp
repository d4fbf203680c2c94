#include "actors/parameters/optimizers/rules.hpp"
#include "actors/parameters/portable_math.hpp"

#include <cmath>

namespace gradmesh::parameters {

namespace {

/// Stochastic gradient Langevin dynamics: w -= eps/2 n g + N(0, eps), with eps the learning rate.
/// Welling, Teh: "Bayesian learning via stochastic gradient Langevin dynamics", ICML 2011.
///
/// The gradient scale: g is the mean over the step's examples of the gradient of the loss, which is
/// what workers push and a shard sums, and n (`optimizer_options::examples`) the size of the
/// training set; so n g estimates the gradient of -log(posterior), where the loss of an example is
/// -log(likelihood), and l2/2 |w|^2 in the loss stands for a normal prior of precision n l2.
///
/// The noise is drawn here, once for each applied update. Were it added by M workers whose
/// gradients are averaged, its variance would be eps/M and the posterior too narrow. It is a
/// function of (seed, position, step), so that shards and blocks change no bit.
///
/// Not for sparse rows: a row that is updated in a fraction p of the steps has there a gradient
/// that is 1/p times its mean, and noise that is not.
class sgld final : public optimizer {
public:
  sgld(instruction_set set, const optimizer_options& options)
      : set_(set), seed_(options.seed), examples_(options.examples) {}

  std::string_view name() const override { return "sgld"; }
  std::size_t state_floats_per_parameter() const override { return 0; }
  bool counts_steps() const override { return true; }
  bool suits_sparse_rows() const override { return false; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float>, const update_moment& at) const override {
    const auto stream = mix(mix(seed_ ^ salt) + at.step);
    const float drift = at.learning_rate / 2 * examples_;
    const double deviation = std::sqrt(static_cast<double>(at.learning_rate));
    for_each_index(set_, g.size(),
                   [=, before = from.data(), after = to.data(), gradient = g.data(),
                    position = at.position](std::size_t i) GRADMESH_LOOP_BODY {
                     const double noise = deviation * normal_number(stream, position + i);
                     after[i] = before[i] - drift * gradient[i] + static_cast<float>(noise);
                   });
  }

private:
  /// Keeps the noise apart from the initial values, which hash the same seed.
  static constexpr std::uint64_t salt = 0x73676c6420313131U;

  instruction_set set_;
  std::uint64_t seed_;
  float examples_;
};

} // namespace

std::unique_ptr<optimizer> make_sgld(const optimizer_options& options, instruction_set set) {
  return std::make_unique<sgld>(set, options);
}

} // namespace gradmesh::parameters
