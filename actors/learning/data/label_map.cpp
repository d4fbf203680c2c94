#include "actors/learning/data/label_map.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace gradmesh::learning {
namespace {

/// Labels that a message lists before it gives a range.
constexpr std::size_t listed_max = 10;

/// Only the form that `std::to_string` gives: "01" or "+1" is a word, not a value.
std::optional<std::int64_t> as_value(const std::string& name) {
  std::int64_t value = 0;
  std::from_chars(name.data(), name.data() + name.size(), value);
  if (std::to_string(value) != name) return std::nullopt;
  return value;
}

} // namespace

label_map label_map::of_values(std::span<const std::int64_t> labels) {
  const std::set<std::int64_t> distinct(labels.begin(), labels.end());
  label_map map;
  for (const std::int64_t label : distinct) {
    map.classes_.emplace_back(label, static_cast<std::int32_t>(map.names_.size()));
    map.names_.push_back(std::to_string(label));
  }
  return map;
}

label_map label_map::of_numbers(std::uint32_t classes) {
  label_map map;
  for (std::uint32_t i = 0; i < classes; ++i) {
    map.classes_.emplace_back(i, static_cast<std::int32_t>(i));
    map.names_.push_back(std::to_string(i));
  }
  return map;
}

result<label_map> label_map::of_names(const std::vector<std::string>& names) {
  const bool values = names_are_values(names);
  label_map map;
  map.names_ = names;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!seen.insert(names[i]).second)
      return {errc::malformed_data, "class name '" + names[i] + "' occurs twice"};
    const std::int64_t label = values ? *as_value(names[i]) : static_cast<std::int64_t>(i);
    map.classes_.emplace_back(label, static_cast<std::int32_t>(i));
  }
  std::sort(map.classes_.begin(), map.classes_.end());
  return map;
}

bool label_map::names_are_values(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(),
                     [](const auto& name) { return as_value(name).has_value(); });
}

std::optional<std::int32_t> label_map::find(std::int64_t label) const {
  const auto found =
      std::lower_bound(classes_.begin(), classes_.end(), label,
                       [](const auto& entry, std::int64_t value) { return entry.first < value; });
  if (found == classes_.end() || found->first != label) return std::nullopt;
  return found->second;
}

std::string label_map::expected() const {
  if (classes_.empty()) return "nothing";
  if (classes_.size() > listed_max)
    return std::to_string(classes_.size()) + " labels from " +
           std::to_string(classes_.front().first) + " to " + std::to_string(classes_.back().first);
  std::string list;
  for (const auto& [label, index] : classes_)
    list += (list.empty() ? "" : ", ") + std::to_string(label);
  return list;
}

} // namespace gradmesh::learning
