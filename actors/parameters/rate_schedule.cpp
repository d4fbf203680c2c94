#include "actors/parameters/rate_schedule.hpp"

#include "actors/parameters/portable_math.hpp"

#include <algorithm>
#include <cmath>

namespace gradmesh::parameters {

double rate_at(const rate_schedule& schedule, std::uint64_t step, std::uint64_t steps_total) {
  const double rate = schedule.learning_rate;
  if (step < schedule.warmup_steps)
    return rate * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
  const auto after = step - schedule.warmup_steps;
  switch (schedule.decay) {
  case rate_decay::constant:
    return rate;
  case rate_decay::step:
    return std::max(schedule.min_rate,
                    rate * power(schedule.decay_factor, after / schedule.decay_steps));
  case rate_decay::cosine: {
    const auto length = std::max(steps_total, schedule.warmup_steps + 1) - schedule.warmup_steps;
    const double done = std::min(1.0, static_cast<double>(after) / static_cast<double>(length));
    return schedule.min_rate + (rate - schedule.min_rate) * (1 + cosine_of_turn(done / 2)) / 2;
  }
  case rate_decay::inverse_sqrt:
    return std::max(schedule.min_rate,
                    rate / std::sqrt(1 + static_cast<double>(after) /
                                             static_cast<double>(schedule.decay_steps)));
  }
  return rate;
}

} // namespace gradmesh::parameters
