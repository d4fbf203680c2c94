#pragma once

/// The update rules that a server can be asked for: the built-in ones, and those that the
/// application around it has added. There is no global registry: an application makes one and gives
/// it to the nodes that it starts (node/node.hpp), so two meshes in one process may differ.
///
/// Threads: after the nodes have it, nobody changes it; makers are called from shards' threads,
/// also at the same time.

#include "actors/error.hpp"
#include "actors/parameters/optimizer.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace gradmesh::parameters {

class rule_registry {
public:
  /// Makes the rule for one job: from its options, or from what the application knows.
  using maker = std::function<result<std::unique_ptr<optimizer>>(const optimizer_options&)>;

  /// `name` has the form OWNER/NAME of letters, digits, '.', '_', '+' and '-': the slash keeps it
  /// apart from the built-in rules, of this and of later versions. `errc::invalid_argument` for
  /// another form, or a name that is there already.
  result<void> add(const std::string& name, maker make);

  /// The rule that `options.kind` names. `errc::invalid_argument` if there is none, with the names
  /// that there are, and what its maker or `make_optimizer` says of the options.
  result<std::unique_ptr<optimizer>> make(const optimizer_options& options) const;

private:
  std::map<std::string, maker> own_;
};

} // namespace gradmesh::parameters
