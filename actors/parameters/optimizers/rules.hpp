#pragma once

/// The built-in update rules. Their options have been checked by `make_optimizer`.

#include "actors/parameters/optimizer.hpp"

namespace gradmesh::parameters {

std::unique_ptr<optimizer> make_sgd(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_momentum(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_nesterov(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_adagrad(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_rmsprop(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_adam(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_adamw(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_ftrl(const optimizer_options& options, instruction_set set);
std::unique_ptr<optimizer> make_sgld(const optimizer_options& options, instruction_set set);

} // namespace gradmesh::parameters
