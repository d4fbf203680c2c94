#include "actors/learning/data/libsvm.hpp"

#include "actors/learning/data/label_map.hpp"
#include "actors/learning/data/text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace gradmesh::learning {
namespace {

std::string_view next_token(std::string_view& rest) {
  const auto first = std::min(rest.find_first_not_of(" \t"), rest.size());
  const auto last = std::min(rest.find_first_of(" \t", first), rest.size());
  const std::string_view token = rest.substr(first, last - first);
  rest.remove_prefix(last);
  return token;
}

/// What is wrong with an index that is not a number in [0, 2^32 - 1).
error bad_index(std::string_view token) {
  return {errc::malformed_data, quoted(token) + " is not INDEX:VALUE with an index in 0 to " +
                                    std::to_string(entries_max - 1)};
}

/// Parses "index:value" and appends it. An error without the position.
result<void> read_entry(std::string_view token, file_rows& rows) {
  const char* end = token.data() + token.size();
  std::uint32_t index = 0;
  const auto parsed = std::from_chars(token.data(), end, index);
  if (parsed.ec != std::errc{} || parsed.ptr == end || *parsed.ptr != ':' || index == entries_max)
    return bad_index(token);
  const auto value = parse_value(token.substr(parsed.ptr + 1 - token.data()));
  if (!value)
    return {value.failure().code, "feature " + std::to_string(index) + ": " + value.failure().text};
  rows.indices.push_back(index);
  rows.values.push_back(*value);
  return {};
}

/// Puts the entries from `first` on in ascending order. An error without the position.
result<void> order_entries(file_rows& rows, std::size_t first,
                           std::vector<std::pair<std::uint32_t, float>>& scratch) {
  const auto begin = rows.indices.begin() + static_cast<std::ptrdiff_t>(first);
  const auto out_of_order = std::adjacent_find(begin, rows.indices.end(), std::greater_equal<>());
  if (out_of_order != rows.indices.end()) {
    scratch.clear();
    for (std::size_t i = first; i < rows.indices.size(); ++i)
      scratch.emplace_back(rows.indices[i], rows.values[i]);
    std::sort(scratch.begin(), scratch.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < scratch.size(); ++i)
      std::tie(rows.indices[first + i], rows.values[first + i]) = scratch[i];
    const auto twice = std::adjacent_find(begin, rows.indices.end());
    if (twice != rows.indices.end())
      return {errc::malformed_data, "feature " + std::to_string(*twice) + " occurs twice"};
  }
  if (first < rows.indices.size()) {
    rows.index_min = std::min(rows.index_min, rows.indices[first]);
    rows.index_max = std::max(rows.index_max, rows.indices.back());
  }
  return {};
}

void append_number(std::string& text, auto number) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  text.append(digits, end);
}

void append_entry(std::string& text, std::uint32_t index, float value) {
  text += ' ';
  append_number(text, std::uint64_t{index} + 1);
  text += ':';
  append_number(text, value);
}

} // namespace

result<file_rows> read_libsvm(std::string_view text, const std::string& name) {
  file_rows rows;
  rows.name = name;
  rows.kind = layout::sparse;
  rows.offsets.push_back(0);
  std::vector<std::pair<std::uint32_t, float>> scratch;
  line_scanner lines(text);
  while (auto line = lines.next()) {
    std::string_view rest = line->substr(0, line->find('#'));
    const std::string_view label_text = next_token(rest);
    if (label_text.empty()) continue;
    const auto label = parse_label(label_text);
    if (!label) return line_error(name, lines.number(), label.failure().text);

    const std::size_t first = rows.indices.size();
    for (auto token = next_token(rest); !token.empty(); token = next_token(rest))
      if (auto entry = read_entry(token, rows); !entry)
        return line_error(name, lines.number(), entry.failure().text);
    if (auto ordered = order_entries(rows, first, scratch); !ordered)
      return line_error(name, lines.number(), ordered.failure().text);
    if (rows.indices.size() > entries_max || rows.size() == rows_max)
      return {errc::limit_exceeded, name + " has more than " + std::to_string(rows_max) +
                                        " rows or " + std::to_string(entries_max) + " entries"};
    rows.labels.push_back(*label);
    rows.lines.push_back(lines.number());
    rows.offsets.push_back(static_cast<std::uint32_t>(rows.indices.size()));
  }
  if (rows.size() == 0) return file_error(name, "has no examples");
  return rows;
}

std::string to_libsvm(const dataset& data, const std::vector<std::string>& class_names) {
  const bool labels_are_names = label_map::names_are_values(class_names);
  std::string text;
  for (std::size_t row = 0; row < data.size(); ++row) {
    const auto label = static_cast<std::size_t>(data.labels[row]);
    text +=
        labels_are_names && label < class_names.size() ? class_names[label] : std::to_string(label);
    if (data.shape.kind == layout::sparse) {
      for (std::uint32_t i = data.offsets[row]; i < data.offsets[row + 1]; ++i)
        append_entry(text, data.indices[i], data.values[i]);
    } else {
      const float* values = data.values.data() + row * data.shape.features;
      for (std::uint32_t column = 0; column < data.shape.features; ++column)
        if (values[column] != 0) append_entry(text, column, values[column]);
    }
    text += '\n';
  }
  return text;
}

result<void> write_libsvm(const split_dataset& data, const std::string& directory,
                          env::disk& disk) {
  std::string classes;
  for (const auto& name : data.class_names)
    classes += name + '\n';
  if (auto made = disk.create_directories(directory); !made) return made;
  auto written = disk.write(directory + "/train.libsvm", to_libsvm(data.train, data.class_names));
  if (written && data.test.size() > 0)
    written = disk.write(directory + "/test.libsvm", to_libsvm(data.test, data.class_names));
  if (written) written = disk.write(directory + "/classes.txt", classes);
  return written;
}

} // namespace gradmesh::learning
