#pragma once

/// Brings the shards of a job that begins to where a checkpoint is: has the reader find it, then
/// sends each chunk to the replicas that have something of it, whatever number of shards wrote it.
/// Plain code but for its messages to the reader.
///
/// Failure: an error that ends the job. A member that is lost begins the job again, and with it
/// this.
///
/// Memory: a few chunks (defaults::coordinator::restored_at_once).

#include "actors/checkpoint/checkpoint_news.hpp"
#include "actors/coordinator/checkpoint_progress.hpp"
#include "actors/coordinator/job_record.hpp"
#include "actors/coordinator/open_requests.hpp"
#include "actors/job/job_plan.hpp"

#include <memory>
#include <optional>
#include <string>

namespace gradmesh::coordinator {

class job_restore {
public:
  /// `reader`: for this alone.
  job_restore(checkpoint_reader_actor reader, const rule_set& rules)
      : reader_(std::move(reader)), rules_(rules) {}

  /// Looks for the checkpoint that the plan's job can go on from.
  void open(const restore_source& from, const job::job_plan& plan) const;
  /// It was found: the plan begins with its cut. Errors: `refused` for other data, those of
  /// decoding.
  result<void> on_opened(const checkpoint::checkpoint_opened& opened, job::job_plan& plan);
  const store::good_checkpoint& opened() const { return *checkpoint_; }

  /// The replicas are there: begins to send, or goes on when all requests are answered.
  void send_more(const job::job_plan& plan, open_requests& requests, env::time_point now);
  /// Errors: `malformed_data`.
  result<void> on_chunk(const checkpoint::chunk_read& read, const job::job_plan& plan,
                        open_requests& requests, env::time_point now);
  bool waits_for_disk() const { return fetching_ > 0; }
  /// All replicas have all.
  bool is_done() const { return last_sent_; }

private:
  void ask(const job::job_plan& plan, std::uint32_t shard, const mesh::frame_body& body, bool last,
           open_requests& requests, env::time_point now) const;

  const checkpoint_reader_actor reader_;
  const rule_set rules_;
  std::shared_ptr<const store::good_checkpoint> checkpoint_;
  std::uint64_t chunks_ = 0;
  std::uint64_t next_ = 0;   // chunk to be fetched
  std::size_t fetching_ = 0; // and not come yet
  bool last_sent_ = false;
};

} // namespace gradmesh::coordinator
