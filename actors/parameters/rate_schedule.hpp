#pragma once

/// The learning rate of each step of a job: a pure function, the same bits on every machine.
///
/// With W warm-up steps of T in all, t the step (from 0), s = t - W, S = T - W, d `decay_steps`:
///
///   warm-up       t < W: learning_rate (t + 1) / W   (Goyal et al.: "Accurate, large minibatch
///                 SGD", 2017); then
///   constant      learning_rate
///   step          learning_rate decay_factor^floor(s / d)
///   cosine        min_rate + (learning_rate - min_rate) (1 + cos(pi s / S)) / 2   (Loshchilov,
///                 Hutter: "SGDR", ICLR 2017, without restarts); s = S and beyond: min_rate
///   inverse_sqrt  learning_rate / sqrt(1 + s / d); with d = 1 that is 1 / sqrt(t), t from 1
///
/// No decay goes below min_rate.

#include <cstdint>

namespace gradmesh::parameters {

enum class rate_decay : std::uint8_t { constant, step, cosine, inverse_sqrt };

struct rate_schedule {
  double learning_rate = 0.1;
  rate_decay decay = rate_decay::constant;
  std::uint64_t warmup_steps = 0;
  std::uint64_t decay_steps = 1000; // above 0; step, inverse_sqrt
  double decay_factor = 0.1;        // step
  double min_rate = 0;
};

/// The rate of step `step` (from 0) of `steps_total`. A step beyond the total is like the last.
double rate_at(const rate_schedule& schedule, std::uint64_t step, std::uint64_t steps_total);

} // namespace gradmesh::parameters
