#pragma once

/// The rules on which the guarantees of a job stand, each with a name, so that a checker can be
/// checked: an experiment (`gradmesh lab --break RULE`) breaks one of them in the real actors, in
/// the smallest way that matters, and the check that covers it has to fail.
///
/// Nodes keep all rules; no configuration breaks one, only who starts a node in his own program.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gradmesh {

enum class rule : std::uint8_t {
  step_complete,
  read_waits,
  rank_order,
  late_dropped,
  staleness_bound,
  read_my_writes,
  delay_bound,
  push_once,
  snapshot_added,
  promote_synced,
  generation_fenced,
  pushes_kept,
  leased_once,
  fencing,
  ack_after_backup,
  wait_for_layout,
  one_snapshot,
  tail_follows,
  resend_on_layout,
  no_gap,
  sent_stays,
  ledger_in_image,
  progress_replicated,
  two_versions,
  log_first,
  log_synced,
  incarnation_raised,
  own_writes_added,
  own_writes_once,
  one_cut,
  pushes_held,
  checkpoint_synced,
  checkpoint_verified,
  restore_all,
  restored_once,
};

struct rule_description {
  rule id;
  std::string_view name;
  std::string_view broken; // what an actor does when the rule is broken
  bool of_method = false;  // a guarantee of a training method, which the lab checks
};

/// All rules, in the order of the enum.
std::span<const rule_description> all_rules();
std::string_view to_string(rule r);
std::optional<rule> rule_named(std::string_view name);

/// Which rules are kept.
class rule_set {
public:
  bool keeps(rule r) const { return !broken_[static_cast<std::size_t>(r)]; }
  void break_rule(rule r) { broken_.set(static_cast<std::size_t>(r)); }

private:
  std::bitset<64> broken_;
};

} // namespace gradmesh
