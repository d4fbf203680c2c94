#pragma once

/// The update rules that a server shard applies to its parameters. float32, element by element in a
/// fixed order, so that a parameter's bits do not depend on which run (block, partition, shard) or
/// on which machine it is updated. The built-in rules stand in optimizers/, each with its source.
///
/// On sparse rows every rule is *lazy*: a row's state changes only in a step that touches the row.
/// Momentum does not carry a row on while nobody pushes to it, adamw does not let it decay, and
/// Adam counts the updates of each row by itself.

#include "actors/error.hpp"
#include "actors/parameters/vector_loop.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::parameters {

/// A table with a rule of its own.
struct table_rule {
  std::string table;
  std::string rule;

  bool operator==(const table_rule&) const = default;
};

struct optimizer_options {
  /// sgd | momentum | nesterov | adagrad | rmsprop | adam | adamw | ftrl | sgld, or the name of a
  /// rule of the application (see rule_registry.hpp).
  std::string kind = "sgd";
  float learning_rate = 0.1F;
  float momentum = 0.9F;      // momentum, nesterov
  float beta1 = 0.9F;         // adam, adamw
  float beta2 = 0.999F;       // adam, adamw
  float epsilon = 1e-8F;      // adagrad, rmsprop, adam, adamw
  float rho = 0.9F;           // rmsprop
  float weight_decay = 0.01F; // adamw
  float ftrl_beta = 1.0F;     // ftrl
  float ftrl_l1 = 0.0F;       // ftrl
  float ftrl_l2 = 0.0F;       // ftrl
  float examples = 1.0F;      // sgld: of the training set; the gradients are means over examples
  std::uint64_t seed = 0;     // sgld: of the noise
  std::vector<table_rule> tables =
      {}; // those with another rule than `kind`; the options are the same
};

/// Which update of which parameters.
struct update_moment {
  float learning_rate = 0;
  /// Counts the updates of these parameters, this one included, so it begins with 1.
  std::uint64_t step = 1;
  /// Where a run of dense parameters begins in the flat space of all dense tables; 0 for rows.
  std::uint64_t position = 0;
};

class optimizer {
public:
  virtual ~optimizer() = default;

  virtual std::string_view name() const = 0;

  /// Floats of state that the rule keeps for each parameter; they begin as zeros.
  virtual std::size_t state_floats_per_parameter() const = 0;

  /// True if `update` depends on `step`.
  virtual bool counts_steps() const = 0;

  /// False for a rule that is wrong where only some parameters are updated in a step.
  virtual bool suits_sparse_rows() const { return true; }

  /// Floats of a sparse row: `width` values, their state as `update` has it, and, if the rule
  /// counts steps, the number of its updates, an integer in the place of a float.
  std::size_t row_floats(std::size_t width) const {
    return width * (1 + state_floats_per_parameter()) + (counts_steps() ? 1 : 0);
  }

  /// `to` becomes the parameters `from`, updated by their gradient `g`; the two are the same memory
  /// or do not overlap. `state` holds g.size() floats for each of the
  /// `state_floats_per_parameter()`, one kind after the other. What becomes of a parameter must
  /// depend on nothing but its own value, gradient and state, the moment, and its position.
  virtual void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
                      std::span<float> state, const update_moment& at) const = 0;

  /// Updates different sparse rows by their gradients, `width` floats for each. Unless a rule has
  /// something faster: by an `update` of each.
  virtual void update_rows(std::span<float* const> rows, std::size_t width, const float* gradients,
                           float learning_rate) const;
};

/// A built-in rule. `errc::invalid_argument` for an unknown kind or an option outside its limits.
/// The instruction set changes no bit.
result<std::unique_ptr<optimizer>> make_optimizer(const optimizer_options& options,
                                                  instruction_set set = best_instruction_set());

/// "sgd, momentum, ..."
std::string built_in_rule_names();

} // namespace gradmesh::parameters
