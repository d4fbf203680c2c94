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
/// Between two log lines that say whom the node waits for.
inline constexpr std::chrono::seconds waiting_notice_interval{5};
} // namespace node

namespace coordinator {
/// How often silent members are looked for and followers are told how far the job is.
inline constexpr std::chrono::milliseconds tick_interval{200};
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
} // namespace server_shard

namespace worker {
inline constexpr std::chrono::milliseconds progress_interval{100};
/// How long a worker tries to reach the shards and data servers of a plan.
inline constexpr std::chrono::seconds link_timeout{10};
/// Steps whose parameters are pulled before the step computed now has ended.
inline constexpr std::size_t steps_pulled_ahead = 1;
} // namespace worker

} // namespace gradmesh::defaults
