#include "actors/learning/data/debian_packages.hpp"

#include "actors/learning/data/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <unordered_set>
#include <xxhash.h>

namespace gradmesh::learning {
namespace {

constexpr std::uint64_t test_share = 10; // one package in so many
constexpr std::array<std::string_view, 3> dropped_sections{"debug", "oldlibs", "tasks"};

struct package {
  std::string_view name;
  std::string_view description; // its first line
  std::string_view section;     // without the archive area
};

/// Takes the record of a package (lines up to an empty one); false at the end of the text.
bool next_package(line_scanner& lines, package& found) {
  found = {};
  bool any = false;
  while (auto line = lines.next()) {
    if (line->empty()) {
      if (any) return true;
      continue;
    }
    any = true;
    if (line->front() == ' ' || line->front() == '\t') continue; // the field above goes on
    const auto colon = std::min(line->find(':'), line->size());
    const std::string_view field = line->substr(0, colon);
    const std::string_view value = trim(line->substr(std::min(colon + 1, line->size())));
    if (field == "Package") found.name = value;
    if (field == "Section") found.section = value.substr(value.rfind('/') + 1);
    if (field == "Description-en" || (field == "Description" && found.description.empty()))
      found.description = value;
  }
  return any;
}

bool is_document(const package& candidate) {
  return !candidate.name.empty() && !candidate.section.empty() &&
         std::find(dropped_sections.begin(), dropped_sections.end(), candidate.section) ==
             dropped_sections.end();
}

/// The first package of each name, in the order of the text.
std::vector<package> read_documents(std::string_view available) {
  std::vector<package> documents;
  std::unordered_set<std::string_view> names;
  line_scanner lines(available);
  for (package found; next_package(lines, found);)
    if (is_document(found) && names.insert(found.name).second) documents.push_back(found);
  return documents;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

void hash_tokens(std::string_view text, std::string& token, std::vector<std::uint32_t>& features) {
  token.clear();
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? lower(text[i]) : ' ';
    if (is_token_char(c)) {
      token += c;
    } else if (!token.empty()) {
      const std::uint64_t hash = XXH3_64bits(token.data(), token.size());
      features.push_back(static_cast<std::uint32_t>(hash % debian_features));
      token.clear();
    }
  }
}

/// Gives each entry the inverse document frequency of its feature in the training set.
void weigh(split_dataset& data) {
  std::vector<std::uint32_t> documents_with(debian_features, 0);
  for (const std::uint32_t feature : data.train.indices)
    ++documents_with[feature];
  const double documents = 1.0 + static_cast<double>(data.train.size());
  for (dataset* part : {&data.train, &data.test}) {
    part->values.reserve(part->indices.size());
    for (const std::uint32_t feature : part->indices)
      part->values.push_back(
          static_cast<float>(std::log(documents / (1.0 + documents_with[feature]))));
  }
}

/// Class of each section, in alphabetical order.
std::map<std::string_view, std::int32_t> number_sections(const std::vector<package>& documents) {
  std::map<std::string_view, std::int32_t> classes;
  for (const auto& document : documents)
    classes.emplace(document.section, 0);
  std::int32_t next = 0;
  for (auto& [section, number] : classes)
    number = next++;
  return classes;
}

} // namespace

result<split_dataset> read_debian_packages(std::string_view available) {
  const std::vector<package> documents = read_documents(available);
  if (documents.empty())
    return {errc::not_found, "there are no package lists on this machine: run 'apt-get update' as "
                             "root and try again"};
  const auto classes = number_sections(documents);

  split_dataset data;
  for (const auto& [section, number] : classes)
    data.class_names.emplace_back(section);
  const data_shape shape{layout::sparse, debian_features,
                         static_cast<std::uint32_t>(classes.size())};
  for (dataset* part : {&data.train, &data.test}) {
    part->shape = shape;
    part->offsets.push_back(0);
  }
  std::string token;
  std::vector<std::uint32_t> features;
  for (const auto& document : documents) {
    features.clear();
    hash_tokens(document.name, token, features);
    hash_tokens(document.description, token, features);
    std::sort(features.begin(), features.end());
    features.erase(std::unique(features.begin(), features.end()), features.end());

    const bool is_test = XXH3_64bits(document.name.data(), document.name.size()) % test_share == 0;
    dataset& part = is_test ? data.test : data.train;
    part.labels.push_back(classes.at(document.section));
    part.indices.insert(part.indices.end(), features.begin(), features.end());
    part.offsets.push_back(static_cast<std::uint32_t>(part.indices.size()));
  }
  if (data.train.size() == 0 || data.test.size() == 0)
    return {errc::malformed_data, "the package lists hold " + std::to_string(documents.size()) +
                                      " packages, too few for a training and a test set: run "
                                      "'apt-get update' as root and try again"};
  weigh(data);
  return data;
}

} // namespace gradmesh::learning
