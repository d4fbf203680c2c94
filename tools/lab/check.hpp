#pragma once

/// What a check of the lab found: a figure, and the bounds that it has to be in.

#include "actors/error.hpp"

#include <limits>
#include <string>
#include <vector>

namespace gradmesh::tools::lab {

struct check {
  std::string name; // "reads-within-bound"
  std::string what; // a sentence
  double figure = 0;
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();

  /// A figure that is no number is in no bounds.
  bool passed() const { return figure >= least && figure <= most; }
};

inline check at_most(std::string name, std::string what, double figure, double most) {
  return {.name = std::move(name), .what = std::move(what), .figure = figure, .most = most};
}
inline check at_least(std::string name, std::string what, double figure, double least) {
  return {.name = std::move(name), .what = std::move(what), .figure = figure, .least = least};
}
inline check between(std::string name, std::string what, double figure, double least, double most) {
  return {std::move(name), std::move(what), figure, least, most};
}
inline check exactly(std::string name, std::string what, double figure, double value) {
  return between(std::move(name), std::move(what), figure, value, value);
}

using checks = std::vector<check>;

} // namespace gradmesh::tools::lab
