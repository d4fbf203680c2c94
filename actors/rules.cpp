#include "actors/rules.hpp"

#include <algorithm>

namespace gradmesh {
namespace {

constexpr rule_description descriptions[] = {
    {rule::step_complete, "step-complete",
     "bsp: a step is applied when one push that it needs is still missing", true},
    {rule::read_waits, "read-waits", "bsp: parameters are read one step too early", true},
    {rule::rank_order, "rank-order", "bsp: a step's sum goes from the last rank to the first",
     true},
    {rule::late_dropped, "late-dropped",
     "bsp with backup workers: a push for a step that is over is applied all the same", true},
    {rule::staleness_bound, "staleness-bound",
     "ssp: parameters are read when one worker is a clock too far behind", true},
    {rule::read_my_writes, "read-my-writes",
     "ssp: a worker may read before its own last push is applied", true},
    {rule::delay_bound, "delay-bound", "bounded-delay: a task starts one task too early", true},
    {rule::push_once, "push-once", "a part of a push that comes again is applied again", true},
    {rule::snapshot_added, "snapshot-added",
     "svrg: a step is applied without the gradient of the snapshot", true},
    {rule::promote_synced, "promote-unsynced", "a backup that lacks updates is made the primary"},
    {rule::generation_fenced, "old-generation-push",
     "workers or data servers change, and the layout keeps its number"},
    {rule::pushes_kept, "worker-forgets-push",
     "a worker takes a push for acknowledged when its shard's primary changes"},
    {rule::leased_once, "lease-counted-twice",
     "a lease that is asked for again gets another batch, and the first one is lost"},
    {rule::fencing, "no-fencing", "requests of another layout are carried out"},
    {rule::ack_after_backup, "early-ack",
     "a push is acknowledged before the shard's backup has it"},
    {rule::wait_for_layout, "ack-without-backup",
     "a primary whose backup cannot be reached goes on without it"},
    {rule::one_snapshot, "late-snapshot", "a backup takes a second snapshot in a pairing"},
    {rule::tail_follows, "snapshot-without-tail",
     "what changes while a snapshot is on its way is not sent to the backup"},
    {rule::resend_on_layout, "no-resend-on-layout",
     "changes that a backup did not acknowledge are not sent again in the next layout"},
    {rule::no_gap, "gap-accepted", "a backup applies a change when one before it is missing"},
    {rule::sent_stays, "push-joins-sent-change",
     "a push joins a change of its block that is on its way to the backup already"},
    {rule::ledger_in_image, "ledger-not-in-image",
     "a snapshot does not say which pushes are in it"},
    {rule::progress_replicated, "progress-not-replicated",
     "a shard tells as done what its backup does not have"},
    {rule::two_versions, "one-version",
     "bsp: a shard that is a step ahead is read as it is, not as it was"},
    {rule::log_first, "log-after-publish",
     "the coordinator acts on what it decides and writes it down later"},
    {rule::log_synced, "no-fsync", "what the coordinator writes down is not synced to its disk"},
    {rule::incarnation_raised, "incarnation-not-raised",
     "a node that begins again says that it is the one that it was"},
    {rule::own_writes_added, "own-writes-added",
     "ssp: a worker does not add its own pushes to a read that lacks them", true},
    {rule::own_writes_once, "own-writes-once",
     "ssp: a worker adds its own pushes twice to a read that lacks them", true},
    {rule::one_cut, "checkpoint-not-of-a-cut",
     "a shard gives a checkpoint what it has, though others have more or less of the cut"},
    {rule::pushes_held, "checkpoint-lets-pushes-pass",
     "pushes that are not of a checkpoint's cut are applied before it is taken"},
    {rule::checkpoint_synced, "checkpoint-not-synced",
     "a checkpoint is told of when its files are not synced to the disk"},
    {rule::checkpoint_verified, "checkpoint-not-verified",
     "a checkpoint's contents are not compared with their checksums"},
    {rule::restore_all, "restore-without-backup",
     "a job that goes on from a checkpoint leaves the backups as they began"},
    {rule::restored_once, "late-restore",
     "what a shard is told of its checkpoint again, late, it takes once more"},
};

} // namespace

std::span<const rule_description> all_rules() {
  return descriptions;
}

std::string_view to_string(rule r) {
  return descriptions[static_cast<std::size_t>(r)].name;
}

std::optional<rule> rule_named(std::string_view name) {
  const auto* found =
      std::ranges::find(descriptions, name, [](const rule_description& d) { return d.name; });
  return found == std::end(descriptions) ? std::nullopt : std::optional(found->id);
}

} // namespace gradmesh
