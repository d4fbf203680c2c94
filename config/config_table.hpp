#pragma once

/// An option table whose options are tied to the members of a plain struct: text in, struct out,
/// and back. The struct has a member struct for each section.

#include "config/ini_file.hpp"
#include "config/loaded.hpp"
#include "config/option_table.hpp"
#include "config/value_types.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradmesh::config {

/// A fault that only shows when options are compared with each other.
struct finding {
  std::string option; // "section.key" that the fault is reported at
  std::string text;
};

/// Where a fault of an option that came from `from` is reported; `file` is the text's own name.
diagnostic at_origin(const origin& from, const std::string& file, std::string text);

// Options take plain pointers and references, and are built in templates that depend on as few
// types as they can: the calls are many, and each is code that the compiler has to optimize.

template <class T>
option make_option(const std::string& section, const char* key, const value_type<T>& type,
                   const char* default_text, const char* help) {
  return {section,
          key,
          type.accepts,
          default_text,
          help,
          [parse = type.parse](const std::string& text) -> result<std::any> {
            auto value = parse(text);
            if (!value) return value.failure();
            return std::any(std::move(*value));
          }};
}

template <class Config>
class config_table {
public:
  /// Adds options to one section; `Section` holds their values.
  template <class Section>
  class section_options {
  public:
    section_options(config_table& table, std::string name, Section Config::*section)
        : table_(&table), name_(std::move(name)), section_(section) {}

    template <class T>
    void option(const char* key, T Section::*member, const value_type<T>& type,
                const char* default_text, const char* help) {
      table_->add(make_option(name_, key, type, default_text, help),
                  {[section = section_, member](Config& c, const std::any& value) {
                     c.*section.*member = std::any_cast<const T&>(value);
                   },
                   [section = section_, member, format = type.format](const Config& c) {
                     return format(c.*section.*member);
                   }});
    }

  private:
    config_table* table_;
    std::string name_;
    Section Config::*section_;
  };

  template <class Section>
  section_options<Section> section(const char* name, Section Config::*member, const char* help) {
    table_.add_section(name, help);
    return {*this, name, member};
  }

  const option_table& options() const { return table_; }

  /// `complete` fills in what depends on other options; `check` compares them.
  loaded<Config> parse(std::string_view text, const std::string& name, const overrides& over,
                       void (*complete)(Config&),
                       std::vector<finding> (*check)(const Config&)) const {
    auto found = table_.resolve(text, name, over);
    if (!found.diagnostics.empty()) return {{}, {}, std::move(found.diagnostics)};
    Config config;
    for (std::size_t i = 0; i < bindings_.size(); ++i)
      bindings_[i].assign(config, found.settings[i].value);
    complete(config);
    for (auto& fault : check(config)) {
      const auto& from = found.settings.at(table_.find(fault.option).value()).from;
      found.diagnostics.push_back(at_origin(from, name, fault.option + ": " + fault.text));
    }
    if (!found.diagnostics.empty()) return {{}, {}, std::move(found.diagnostics)};
    auto listed = list(config);
    for (std::size_t i = 0; i < listed.size(); ++i)
      listed[i].from = std::move(found.settings[i].from);
    return {std::move(config), std::move(listed), {}};
  }

  /// Every option with its canonical text.
  std::vector<resolved_option> list(const Config& config) const {
    std::vector<resolved_option> all;
    for (std::size_t i = 0; i < bindings_.size(); ++i) {
      const auto& o = table_.options()[i];
      all.push_back({o.section, o.key, bindings_[i].format(config), {}});
    }
    return all;
  }

private:
  struct binding {
    std::function<void(Config&, const std::any&)> assign;
    std::function<std::string(const Config&)> format;
  };

  void add(config::option o, binding b) {
    table_.add(std::move(o));
    bindings_.push_back(std::move(b));
  }

  option_table table_;
  std::vector<binding> bindings_; // parallel to table_.options()
};

} // namespace gradmesh::config
