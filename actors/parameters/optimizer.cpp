#include "actors/parameters/optimizer.hpp"

#include "actors/parameters/optimizers/rules.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>

namespace gradmesh::parameters {

namespace {

struct built_in_rule {
  std::string_view name;
  std::unique_ptr<optimizer> (*make)(const optimizer_options&, instruction_set);
};

constexpr std::array built_in_rules{
    built_in_rule{"sgd", make_sgd},           built_in_rule{"momentum", make_momentum},
    built_in_rule{"nesterov", make_nesterov}, built_in_rule{"adagrad", make_adagrad},
    built_in_rule{"rmsprop", make_rmsprop},   built_in_rule{"adam", make_adam},
    built_in_rule{"adamw", make_adamw},       built_in_rule{"ftrl", make_ftrl},
    built_in_rule{"sgld", make_sgld}};

/// Adds one to the count of updates that is kept, as an integer, in the place of a float.
std::uint32_t count_update(float* place) {
  std::uint32_t count = 0;
  std::memcpy(&count, place, sizeof count);
  if (count != UINT32_MAX) ++count;
  std::memcpy(place, &count, sizeof count);
  return count;
}

result<void> check_positive(std::string_view name, float value) {
  if (std::isfinite(value) && value > 0) return {};
  return {errc::invalid_argument,
          fmt::format("optimizer option {} is {}; use a finite number above 0", name, value)};
}

result<void> check_weight(std::string_view name, float value) {
  if (std::isfinite(value) && value >= 0) return {};
  return {errc::invalid_argument,
          fmt::format("optimizer option {} is {}; use a finite number from 0", name, value)};
}

result<void> check_decay(std::string_view name, float value) {
  if (value >= 0 && value < 1) return {};
  return {errc::invalid_argument,
          fmt::format("optimizer option {} is {}; use a number from 0 to below 1", name, value)};
}

} // namespace

void optimizer::update_rows(std::span<float* const> rows, std::size_t width, const float* gradients,
                            float learning_rate) const {
  const auto state_floats = state_floats_per_parameter() * width;
  update_moment at{.learning_rate = learning_rate};
  for (float* row : rows) {
    if (counts_steps()) at.step = count_update(row + width + state_floats);
    update({row, width}, {row, width}, {gradients, width}, {row + width, state_floats}, at);
    gradients += width;
  }
}

result<std::unique_ptr<optimizer>> make_optimizer(const optimizer_options& options,
                                                  instruction_set set) {
  for (const auto& ok :
       {check_positive("learning_rate", options.learning_rate),
        check_positive("epsilon", options.epsilon), check_decay("momentum", options.momentum),
        check_decay("beta1", options.beta1), check_decay("beta2", options.beta2),
        check_decay("rho", options.rho), check_weight("weight_decay", options.weight_decay),
        check_positive("ftrl_beta", options.ftrl_beta), check_weight("ftrl_l1", options.ftrl_l1),
        check_weight("ftrl_l2", options.ftrl_l2), check_positive("examples", options.examples)})
    if (!ok) return ok.failure();
  for (const auto& rule : built_in_rules)
    if (rule.name == options.kind) return rule.make(options, set);
  return {errc::invalid_argument,
          fmt::format("unknown optimizer '{}'; use {}", options.kind, built_in_rule_names())};
}

std::string built_in_rule_names() {
  std::string names;
  for (const auto& rule : built_in_rules)
    names.append(names.empty() ? "" : ", ").append(rule.name);
  return names;
}

} // namespace gradmesh::parameters
