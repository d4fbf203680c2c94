#pragma once

/// An option table whose options are tied to the members of a plain struct: text in, struct out,
/// and back.

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

template <class Config>
class config_table {
public:
  void section(const std::string& name, std::string help) {
    section_ = name;
    table_.add_section(name, std::move(help));
  }

  /// Adds an option to the current section. `member(config)` gives the member that holds it.
  template <class T, class Member>
  void option(std::string key, value_type<T> type, Member member, std::string default_text,
              std::string help, std::string alias = "") {
    table_.add({section_, std::move(key), std::move(alias), type.accepts, std::move(default_text),
                std::move(help), [parse = type.parse](const std::string& text) -> result<std::any> {
                  auto value = parse(text);
                  if (!value) return value.failure();
                  return std::any(std::move(*value));
                }});
    bindings_.push_back(
        {[member](Config& c, const std::any& value) { member(c) = std::any_cast<const T&>(value); },
         [member, format = type.format](const Config& c) { return format(member(c)); }});
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

  std::string section_;
  option_table table_;
  std::vector<binding> bindings_; // parallel to table_.options()
};

} // namespace gradmesh::config
