#pragma once

/// HOGWILD! (Niu, Recht, Re, Wright: "HOGWILD!: a lock-free approach to parallelizing stochastic
/// gradient descent", NIPS 2011): threads go through the examples of a batch one by one, and each
/// changes one shared copy of the parameters by plain SGD after every example, without locks. For
/// softmax regression, on sparse data above all: on dense data every example changes every row, the
/// threads wait for each other's cache lines, and additions are lost.
///
/// What is pushed. The servers apply w -= rate * g. Each example here steps by rate * scale times
/// its gradient, so that the batch goes as far as one step of the whole batch would, only along a
/// path of parameters that already know the examples before. The pushed
///   g = (w before - w after) / rate = scale * sum of the examples' gradients along that path
/// makes the servers land on `w after` (to rounding), if nobody else pushed meanwhile. So all that
/// holds of gradients holds of it: under bsp the workers' differences are summed, each of them with
/// the share of the step that `scale` gives it; under async each is added when it comes.
///
/// What many examples share (the bias, and rows that occur in more than one of sixteen examples)
/// each thread keeps for itself for a group of G examples and then exchanges, since otherwise the
/// threads would do little but send these lines back and forth. G is 64, where that no longer
/// shows, or less for long steps: each of T copies goes part of the way to a minimum, and if the
/// parts sum up to more than the way, the exchange overshoots. A group goes at most G s v^2 / 2 of
/// it for steps s and values v (1/2 bounds the curvature of softmax), so G is at most 2 / (T s
/// v^2). With one thread it is sequential SGD; with a sequential team the same bits every time.
///
/// The l2 term, which is not sparse, is added once for the whole batch, at `w before`.
///
/// Used by one thread at a time, apart from the team's own.

#include "actors/env/thread_team.hpp"
#include "actors/learning/hogwild_thread.hpp"
#include "actors/learning/model.hpp"

namespace gradmesh::learning {

class hogwild {
public:
  /// Errors: as make_model; `invalid_argument` for a model other than softmax regression.
  static result<std::unique_ptr<hogwild>> make(const model_options& options,
                                               const data_shape& shape,
                                               std::unique_ptr<env::thread_team> team);

  /// Like model::forward_backward, but `parameters` are changed to `w after`, and `gradients` is
  /// the g above. rate: that of the servers, above 0. The metrics are those of each example just
  /// before its own step. After an error the parameters and gradients are of no use.
  result<step_metrics> descend(const example_view& batch, const step_plan& plan,
                               const gradient_view& parameters, float scale, float rate,
                               const gradient_view& gradients);

  /// Says that `descend` is about to be called: thread_team::rouse. Any thread.
  void rouse() { team_->rouse(); }

private:
  hogwild(const data_shape& shape, float l2, std::vector<table_spec> tables,
          std::unique_ptr<env::thread_team> team);

  result<void> check(const example_view& batch, const step_plan& plan,
                     const gradient_view& parameters, const gradient_view& gradients) const;
  /// The examples [first, last), and their rows in the plan.
  result<void> check_examples(const example_view& batch, const step_plan& plan, std::size_t first,
                              std::size_t last) const;
  result<hogwild_pass> pass_over(const example_view& batch, const step_plan& plan,
                                 const gradient_view& parameters, float step);
  /// Returns the largest square of a value that many examples share; 1 is the bias.
  float find_hot_rows(const example_view& batch, const step_plan& plan);
  std::size_t group_of(float step, float square) const;

  data_shape shape_;
  float l2_;
  std::vector<table_spec> tables_;
  std::unique_ptr<env::thread_team> team_;
  std::vector<hogwild_thread> threads_;
  std::vector<std::uint32_t> columns_;  // dense: 0, 1, ... features - 1
  std::vector<std::uint32_t> hot_rows_; // of the present batch
  std::vector<std::uint8_t> hot_places_;
  std::vector<std::uint16_t> uses_;
};

} // namespace gradmesh::learning
