#pragma once

/// INTERNAL to `learning/data`: how the integer labels of a file become classes 0, 1, ...

#include "actors/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::learning {

class label_map {
public:
  /// The distinct values, sorted, are the classes.
  static label_map of_values(std::span<const std::int64_t> labels);
  /// A label is the number of its class, in [0, classes).
  static label_map of_numbers(std::uint32_t classes);
  /// Class i is called names[i]. If all names are integers a label is the value of such a name,
  /// otherwise the number of its class. Errors: a name that occurs twice.
  static result<label_map> of_names(const std::vector<std::string>& names);

  static bool names_are_values(const std::vector<std::string>& names);

  /// The class of a label, or nothing.
  std::optional<std::int32_t> find(std::int64_t label) const;
  const std::vector<std::string>& names() const { return names_; }
  /// What a label may be, for messages: "-1, 1" or "0 to 9".
  std::string expected() const;

private:
  std::vector<std::string> names_;
  std::vector<std::pair<std::int64_t, std::int32_t>> classes_; // (label, class), sorted
};

} // namespace gradmesh::learning
