#pragma once

/// Constants of the actors that no configuration sets, by component. What users can set has its
/// default in the option tables of config/.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gradmesh::defaults {

namespace node {
/// Between two attempts to reach a node that a view names.
inline constexpr std::chrono::milliseconds redial_interval{250};
/// Between two requests to be admitted, where the first had no answer.
inline constexpr std::chrono::milliseconds register_interval{1'000};
/// Between two log lines that say whom the node waits for.
inline constexpr std::chrono::seconds waiting_notice_interval{5};
/// The same of a node that was a member and takes part in a job: it looks for its coordinator for
/// as long as it takes.
inline constexpr std::chrono::seconds lost_coordinator_notice_interval{10};
} // namespace node

namespace coordinator {
/// How often silent members are looked for, and layouts sent again that a host has not taken.
inline constexpr std::chrono::milliseconds tick_interval{50};
/// How often followers are told how far the job is.
inline constexpr std::chrono::milliseconds update_interval{200};
/// How long a node that was admitted may take to its first sign of life: over its slowest link.
inline constexpr std::chrono::milliseconds first_heartbeat_max{12'000};
/// A coordinator that hears nobody takes this for its own fault for so long.
inline constexpr std::chrono::milliseconds alone_max{10'000};
/// Between two sendings of a control request that has no answer yet, and two attempts to write a
/// model that the disk does not take.
inline constexpr std::chrono::milliseconds repeat_interval{1'000};
/// A running job takes in workers and data servers that have come when none came for so long.
inline constexpr std::chrono::milliseconds arrival_pause{1'000};
/// Between two sendings of what the shards have to do for a checkpoint.
inline constexpr std::chrono::milliseconds checkpoint_repeat{500};
/// Shards that hear nothing more of a checkpoint go on without it after so long.
inline constexpr std::chrono::milliseconds checkpoint_hold_max{3'000};
/// Chunks that are asked for at once when a job goes on from a checkpoint.
inline constexpr std::size_t restored_at_once = 8;
/// A job that goes back to a checkpoint waits so long for as many members as it began with; then it
/// takes those that there are.
inline constexpr std::chrono::milliseconds regather_pause{5'000};
inline constexpr std::size_t members_max = 4096;
/// Points of the loss curve that a job update carries.
inline constexpr std::size_t loss_history_max = 64;
/// Partitions asked for at once when a model is saved. One, because a link takes one frame of any
/// size but drops a peer for which more than its limit waits.
inline constexpr std::size_t exports_in_flight = 1;
/// A job that the client left waiting for members gives up by then, whatever it asked for.
inline constexpr std::chrono::seconds wait_max{3600};
} // namespace coordinator

namespace server_shard {
inline constexpr std::chrono::milliseconds report_interval{100};
/// A backup that acknowledges nothing for so long is reported. Longer than a link takes to come up
/// again.
inline constexpr std::chrono::milliseconds backup_silence_max{1500};
/// Before a backup is sent again what it refused.
inline constexpr std::chrono::milliseconds pause_when_refused{20};
} // namespace server_shard

namespace worker {
inline constexpr std::chrono::milliseconds progress_interval{100};
/// After a refusal that sending again may mend: a receiver that acts on another layout or phase.
inline constexpr std::chrono::milliseconds pause_when_stale{20};
/// Steps whose parameters are pulled before the step computed now has ended.
inline constexpr std::size_t steps_pulled_ahead = 1;
/// What is kept of how evaluations' batches are cut.
inline constexpr std::size_t evaluation_plan_bytes = std::size_t{64} << 20;
/// Parameters that are copied to a device together, ahead of their step: long enough for the bus.
inline constexpr std::size_t upload_ahead_floats = std::size_t{1} << 20;
} // namespace worker

namespace gpu_stream {
/// How often a device that has a step is looked at, in case that it is lost and says nothing.
inline constexpr std::chrono::milliseconds watch_interval{50};
/// Fresh starts on a device without a step between them; then the CPU goes on.
inline constexpr unsigned fresh_starts_max = 3;
} // namespace gpu_stream

} // namespace gradmesh::defaults
