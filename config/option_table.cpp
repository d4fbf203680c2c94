#include "config/option_table.hpp"

#include "config/ini_file.hpp"
#include "config/suggestion.hpp"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace gradmesh::config {

namespace po = boost::program_options;

namespace {

/// An option of the table as Boost.Program_options sees it. Defaults stay in the table, where they
/// are parsed like any other text.
class semantic final : public po::value_semantic {
public:
  explicit semantic(const option& o) : option_(o) {}

  std::string name() const override { return option_.accepts; }
  unsigned min_tokens() const override { return 1; }
  unsigned max_tokens() const override { return 1; }
  bool is_composing() const override { return false; }
  bool is_required() const override { return false; }
  bool apply_default(boost::any&) const override { return false; }
  void notify(const boost::any&) const override {}

  void parse(boost::any& store, const std::vector<std::string>& tokens, bool) const override {
    auto value = option_.parse(tokens.front());
    if (!value) throw po::error(value.failure().text);
    store = std::move(*value);
  }

private:
  const option& option_;
};

/// One text through Boost.Program_options.
result<std::any> store_one(const option& o, const std::string& text) {
  if (!fits_ini(text))
    return {errc::invalid_argument,
            fmt::format("{} cannot be written in a configuration file: blanks at an end, a '#' at "
                        "the beginning or after a blank, and control characters are not allowed",
                        quoted(text))};
  try {
    po::options_description description;
    description.add_options()(o.name().c_str(), new semantic(o), o.help.c_str());
    po::parsed_options parsed(&description);
    parsed.options.emplace_back(o.name(), std::vector<std::string>{text});
    po::variables_map values;
    po::store(parsed, values);
    return values[o.name()].as<std::any>();
  } catch (const po::error& e) {
    return {errc::invalid_argument, e.what()};
  }
}

/// One resolution at work: the values found so far.
class resolver {
public:
  explicit resolver(const option_table& table) : table_(table) {
    for (const auto& o : table_.options()) {
      auto value = store_one(o, o.default_text);
      assert(value); // a default that its own option refuses is a mistake in the table
      found_.settings.push_back({std::move(*value), {}});
    }
  }

  void read_file(std::string_view text, const std::string& name) {
    auto file = scan_ini(text, name);
    found_.diagnostics = std::move(file.diagnostics);
    for (const auto& s : file.sections)
      if (!knows_section(s.name)) fail_section(s, name);
    std::vector<std::size_t> first_lines(table_.options().size(), 0);
    for (const auto& e : file.entries)
      read_entry(e, name, first_lines);
    std::stable_sort(found_.diagnostics.begin(), found_.diagnostics.end(),
                     [](const auto& a, const auto& b) { return a.line < b.line; });
  }

  void read_environment(const std::map<std::string, std::string>& variables) {
    for (std::size_t i = 0; i < table_.options().size(); ++i) {
      const auto& o = table_.options()[i];
      read_variable(i, environment_name(o.section, o.key), variables);
    }
  }

  void read_command_line(const std::vector<std::string>& assignments) {
    for (const auto& text : assignments)
      read_assignment(text);
  }

  resolution take() { return std::move(found_); }

private:
  bool knows_section(const std::string& name) const {
    return std::any_of(table_.sections().begin(), table_.sections().end(),
                       [&](const auto& s) { return s.name == name; });
  }

  void fail_section(const ini_section& section, const std::string& file) {
    std::vector<std::string> known;
    for (const auto& s : table_.sections())
      known.push_back(s.name);
    const auto near = closest(section.name, known);
    auto text = fmt::format("unknown section [{}]", printable(section.name));
    text += near.empty() ? fmt::format("; there are [{}]", fmt::join(known, "], ["))
                         : fmt::format("; did you mean [{}]?", near);
    found_.diagnostics.push_back({file, section.line, std::move(text)});
  }

  void read_entry(const ini_entry& entry, const std::string& file,
                  std::vector<std::size_t>& first_lines) {
    // The section's own diagnostic is enough; one more for each key below it would bury it.
    if (!knows_section(entry.section)) return;
    const auto index = table_.find(entry.section + '.' + entry.key);
    if (!index) {
      found_.diagnostics.push_back(
          {file, entry.line,
           fmt::format("unknown key {}{}", quoted(entry.section + '.' + entry.key),
                       table_.suggest(entry.section, entry.key))});
      return;
    }
    auto& first = first_lines[*index];
    if (first != 0) {
      found_.diagnostics.push_back(
          {file, entry.line,
           fmt::format("{} is already set in line {}; keep one of the two lines",
                       table_.options()[*index].name(), first)});
      return;
    }
    first = entry.line;
    set(*index, entry.value, {origin::kind::file, file, entry.line}, {file, entry.line, ""});
  }

  void read_variable(std::size_t index, const std::string& name,
                     const std::map<std::string, std::string>& variables) {
    const auto variable = variables.find(name);
    if (variable == variables.end()) return;
    set(index, variable->second, {origin::kind::environment, name, 0},
        {"environment " + name, 0, ""});
  }

  void read_assignment(const std::string& text) {
    const auto fail = [&](std::string why) {
      found_.diagnostics.push_back({"command line", 0, std::move(why)});
    };
    const auto equals = text.find('=');
    const auto name = trim(std::string_view(text).substr(0, equals));
    const auto dot = name.find('.');
    if (equals == std::string::npos || dot == std::string_view::npos)
      return fail(fmt::format("{} is not section.key=value", quoted(text)));
    const auto index = table_.find(name);
    if (!index)
      return fail(fmt::format("unknown key {}{}", quoted(name),
                              table_.suggest(name.substr(0, dot), name.substr(dot + 1))));
    set(*index, std::string(trim(std::string_view(text).substr(equals + 1))),
        {origin::kind::command_line, "", 0}, {"command line", 0, ""});
  }

  /// Stores a value, or completes `refusal` and reports it.
  void set(std::size_t index, const std::string& text, origin from, diagnostic refusal) {
    const auto& o = table_.options()[index];
    auto value = store_one(o, text);
    if (value) {
      found_.settings[index] = {std::move(*value), std::move(from)};
    } else {
      refusal.text = fmt::format("{}: {}", o.name(), value.failure().text);
      found_.diagnostics.push_back(std::move(refusal));
    }
  }

  const option_table& table_;
  resolution found_;
};

} // namespace

void option_table::add_section(std::string name, std::string help) {
  sections_.push_back({std::move(name), std::move(help)});
}

void option_table::add(option o) {
  assert(!sections_.empty() && sections_.back().name == o.section);
  assert(!find(o.name()));
  options_.push_back(std::move(o));
}

resolution option_table::resolve(std::string_view text, const std::string& name,
                                 const overrides& over) const {
  resolver r(*this);
  r.read_file(text, name);
  r.read_environment(over.environment);
  r.read_command_line(over.command_line);
  return r.take();
}

std::optional<std::size_t> option_table::find(std::string_view name) const {
  for (std::size_t i = 0; i < options_.size(); ++i)
    if (name == options_[i].name()) return i;
  return std::nullopt;
}

std::string option_table::suggest(std::string_view section, std::string_view key) const {
  std::vector<std::string> known;
  for (const auto& o : options_) {
    // The right key below the wrong section is a likelier slip than any typing error.
    if (o.key == key) return fmt::format("; did you mean '{}'?", o.name());
    known.push_back(o.name());
  }
  const auto near = closest(fmt::format("{}.{}", section, key), known);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

std::string environment_name(std::string_view section, std::string_view key) {
  auto name = fmt::format("GRADMESH_{}_{}", section, key);
  for (auto& c : name) {
    if (c == '-') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

} // namespace gradmesh::config
