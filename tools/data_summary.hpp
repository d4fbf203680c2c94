#pragma once

/// What is in a file of examples, for `gradmesh data info`.

#include "actors/learning/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gradmesh::tools {

struct data_summary {
  std::string source;
  learning::data_shape shape;
  std::uint64_t rows = 0;
  std::uint64_t nonzero = 0; // feature values other than 0
  float least = 0;           // of all feature values, the zeros that sparse rows leave out included
  float greatest = 0;
  /// Examples of each class, by label.
  std::vector<std::uint64_t> examples_of;
  std::vector<std::string> class_names; // empty, or one a class

  /// The part of all rows x features values that is not 0.
  double density() const;
};

data_summary summarise(const learning::dataset& data, std::vector<std::string> class_names,
                       std::string source);

/// The most frequent classes are listed, the others counted.
std::string summary_text(const data_summary& summary);

/// One object on one line: source, layout, rows, features, classes, nonzero, density, value_min,
/// value_max, labels: [{class, examples}].
std::string summary_json(const data_summary& summary);

} // namespace gradmesh::tools
