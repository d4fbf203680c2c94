#pragma once

/// The update rules that a server shard applies to its parameters: sgd, momentum, adagrad, adam.
/// float32, element by element in a fixed order, so that a parameter's bits do not depend on which
/// run (block, partition, shard) or on which machine it is updated.
///
/// On sparse rows every rule is *lazy*: a row's state changes only in a step that touches the row.
/// Momentum does not carry a row on while nobody pushes to it, and Adam counts the updates of each
/// row by itself.

#include "actors/error.hpp"
#include "actors/parameters/vector_loop.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace gradmesh::parameters {

struct optimizer_options {
  std::string kind = "sgd"; // sgd | momentum | adagrad | adam
  float learning_rate = 0.1F;
  float momentum = 0.9F; // momentum
  float beta1 = 0.9F;    // adam
  float beta2 = 0.999F;  // adam
  float epsilon = 1e-8F; // adagrad, adam
};

class optimizer {
public:
  virtual ~optimizer() = default;

  virtual std::string_view name() const = 0;

  /// Floats of state that the rule keeps for each parameter; they begin as zeros.
  virtual std::size_t state_floats_per_parameter() const = 0;

  /// True if `update` depends on `step`.
  virtual bool counts_steps() const = 0;

  /// Floats of a sparse row: `width` values, their state as `update` has it, and, if the rule
  /// counts steps, the number of its updates, an integer in the place of a float.
  std::size_t row_floats(std::size_t width) const {
    return width * (1 + state_floats_per_parameter()) + (counts_steps() ? 1 : 0);
  }

  /// `to` becomes the parameters `from`, updated by their gradient `g`; the two are the same memory
  /// or do not overlap. `state` holds g.size() floats for each of the
  /// `state_floats_per_parameter()`, one kind after the other. `step` counts the updates of these
  /// parameters, this one included, so it begins with 1.
  virtual void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
                      std::span<float> state, float learning_rate, std::uint64_t step) const = 0;

  /// Updates different sparse rows by their gradients, `width` floats for each.
  virtual void update_rows(std::span<float* const> rows, std::size_t width, const float* gradients,
                           float learning_rate) const = 0;
};

/// `errc::invalid_argument` for an unknown kind, a learning rate or epsilon that is not a finite
/// number above 0, a momentum or beta outside [0, 1). The instruction set changes no bit.
result<std::unique_ptr<optimizer>> make_optimizer(const optimizer_options& options,
                                                  instruction_set set = best_instruction_set());

} // namespace gradmesh::parameters
