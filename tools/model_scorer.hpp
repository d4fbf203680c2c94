#pragma once

/// How well a saved model does on examples, over all and by class. Runs in the calling thread.
///
/// Failure: `errc::malformed_model` for a model whose tables are not those of its kind,
/// `errc::invalid_argument` for examples of another shape than the model's or none at all, else
/// what the model says. A loss that is not finite is reported as it is.

#include "actors/error.hpp"
#include "actors/learning/dataset.hpp"
#include "actors/learning/model.hpp"
#include "actors/store/model_content.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace gradmesh::tools {

struct class_score {
  std::uint32_t label = 0;
  learning::step_metrics metrics; // over the examples of this class

  double accuracy() const;
};

/// The class that examples of another one are taken for most often.
struct confusion {
  std::uint32_t taken_for = 0;
  std::uint64_t examples = 0;
};

struct worst_class {
  class_score score;
  /// Nothing where every example is recognised, or none of the wrong classes stands out because
  /// `confusion_classes_max` is exceeded.
  std::optional<confusion> mostly;
};

struct model_score {
  learning::step_metrics total;
  /// By label; the classes that have examples.
  std::vector<class_score> classes;
  /// The least accurate, worst first; only classes with an error, at most `worst_max`.
  std::vector<worst_class> worst;

  double accuracy() const;
  double mean_loss() const;
};

inline constexpr std::size_t worst_max = 5;
/// With more classes than this it is not looked up what a class is taken for.
inline constexpr std::uint32_t confusion_classes_max = 1024;

/// `model` has passed `store::check_model`. Rows of sparse tables that it does not hold have their
/// initial values.
result<model_score> score_model(const store::model_content& model,
                                const learning::example_view& examples);

} // namespace gradmesh::tools
