#pragma once

/// The loops of the built-in rules. `Rule` says what happens to one parameter:
/// `element(learning_rate, step)` gives a function of the parameter, its gradient and references to
/// its state, whose result is the parameter after the update.
///
/// Included by the rules' source files only; they are compiled without errno for sqrt, so that the
/// loops can be vectorised.

#include "actors/parameters/optimizer.hpp"

namespace gradmesh::parameters {

template <class Rule, std::size_t States, bool CountsSteps>
class element_rule : public optimizer {
public:
  explicit element_rule(instruction_set set) : set_(set) {}

  std::size_t state_floats_per_parameter() const final { return States; }
  bool counts_steps() const final { return CountsSteps; }

  void update(std::span<const float> from, std::span<float> to, std::span<const float> g,
              std::span<float> state, const update_moment& at) const final {
    const auto element = static_cast<const Rule*>(this)->element(at.learning_rate, at.step);
    const auto n = g.size();
    for_each_index(set_, n,
                   [=, before = from.data(), after = to.data(), gradient = g.data(),
                    states = state.data()](std::size_t i) GRADMESH_LOOP_BODY {
                     after[i] = updated(element, before[i], gradient[i], states + i, n);
                   });
  }

  void update_rows(std::span<float* const> rows, std::size_t width, const float* gradients,
                   float learning_rate) const final {
    if (width != 1 || CountsSteps)
      return optimizer::update_rows(rows, width, gradients, learning_rate);
    // A call for each would cost more than the update.
    const auto element = static_cast<const Rule*>(this)->element(learning_rate, 1);
    for_each_index(set_, rows.size(), [=, at = rows.data()](std::size_t i) GRADMESH_LOOP_BODY {
      float* row = at[i];
      row[0] = updated(element, row[0], gradients[i], row + 1, 1);
    });
  }

private:
  /// `state`: the first state of this parameter; the others follow at distances of `stride`.
  template <class Element>
  [[gnu::always_inline]] static float updated(const Element& element, float w, float g,
                                              float* state, std::size_t stride) {
    if constexpr (States == 0) return element(w, g);
    if constexpr (States == 1) return element(w, g, state[0]);
    if constexpr (States == 2) return element(w, g, state[0], state[stride]);
    if constexpr (States == 3) return element(w, g, state[0], state[stride], state[2 * stride]);
  }

  instruction_set set_;
};

} // namespace gradmesh::parameters
