#pragma once

/// The update rules a second time: float64, one parameter, the formulas of the papers as they stand
/// there. Shares no code with the library.

#include <string>
#include <vector>

namespace gradmesh::simulation {

/// Rules that can be compared step by step; sgld, which has noise, is tested by itself.
inline const std::vector<std::string> rule_names{"sgd",     "momentum", "nesterov", "adagrad",
                                                 "rmsprop", "adam",     "adamw",    "ftrl"};

/// float, so that they are the very numbers that a shard computes with.
struct oracle_rule {
  std::string kind = "sgd";
  float learning_rate = 0.1F;
  float momentum = 0.9F;
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
  float rho = 0.9F;
  float weight_decay = 0.01F;
  float ftrl_beta = 1.0F;
  float ftrl_l1 = 0.0F;
  float ftrl_l2 = 0.0F;
};

class rule_oracle {
public:
  /// The parameter after an update of `w` by its gradient.
  double updated(const oracle_rule& rule, double w, double g, double rate);

private:
  double steps_ = 0;
  double velocity_ = 0;
  double mean_ = 0;
  double square_ = 0;
  double gradients_ = 0;
  double sigmas_ = 0;
  double pulls_ = 0;
};

} // namespace gradmesh::simulation
