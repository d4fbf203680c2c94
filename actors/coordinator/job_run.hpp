#pragma once

/// One job from submission to its end: the phases of schema/job.capnp as a state machine. Plain
/// code: time comes in by argument, messages go out by the router.
///
/// Each phase is a barrier: it begins by asking some members and ends when all have answered. A
/// request without an answer is sent again. A refusal, or silence beyond the phase's deadline,
/// fails the job with the name of who it was. An event that does not belong to the present phase is
/// late and ignored.
///
/// When members are lost or come while the job runs, it regroups (job_regroup.cpp): a layout fences
/// what is under way and tells how far the shards are, and a new generation of members goes on from
/// there. A server that is lost is replaced by the backups of its shards. One that has the only
/// copy of a shard is waited for, for job.wait, as long as it may be back (job_recovery.cpp); then
/// the job goes back to its latest checkpoint (job_restoring.cpp). Without one, or with nobody left
/// to work for longer than job.wait, the job fails.
///
/// What members could hold against another life of the coordinator (plans, layouts, numbers of
/// phases, the end) is in the log before they are told. Where it cannot be written nothing is said
/// any more; the coordinator looks after that (job_log::failure). After a restart a job waits for
/// the members that it had, and goes on (job_recovery.cpp).

#include "actors/coordinator/job_change.hpp"
#include "actors/coordinator/job_checkpoint.hpp"
#include "actors/coordinator/job_log.hpp"
#include "actors/coordinator/job_members.hpp"
#include "actors/coordinator/job_report.hpp"
#include "actors/coordinator/job_restore.hpp"
#include "actors/coordinator/layout_keeper.hpp"
#include "actors/coordinator/layout_round.hpp"
#include "actors/coordinator/membership.hpp"
#include "actors/coordinator/open_requests.hpp"
#include "actors/node/context.hpp"
#include "actors/parameters/partition_content.hpp"

#include <functional>
#include <set>

namespace gradmesh::coordinator {

/// Actors that use the disk for a job.
struct checkpoint_makers {
  std::function<checkpoint_writer_actor(std::uint64_t job_id, checkpoint::checkpoint_settings)>
      writer;
  /// `source`: its number in checkpoint_told.
  std::function<checkpoint_reader_actor(std::uint64_t job_id, std::uint64_t source)> reader;
};

class job_run {
public:
  /// `members` and `log` outlive the run; `log` is null where nothing is kept.
  job_run(job_request request, checkpoint_makers makers, node::context_ptr context,
          mesh::service_id service, const membership& members, job_log* log, env::time_point now);
  /// The job of an earlier life of the coordinator. Its members have `grace` to come back.
  job_run(const job_record& known, checkpoint_makers makers, node::context_ptr context,
          mesh::service_id service, const membership& members, job_log* log,
          std::chrono::milliseconds grace, env::time_point now);

  /// Writes down that there is this job. Errors: those of the log.
  result<void> begin();

  std::uint64_t id() const { return request_.id; }
  const mesh::address& client() const { return request_.client; }
  bool ended() const;
  /// True once after something that a follower should be told at once.
  bool take_changed() { return std::exchange(changed_, false); }
  void fill_update(schema::JobUpdate::Builder out, env::time_point now) const;

  /// Starts when enough members are there; takes in who has come; looks at deadlines.
  void on_tick(env::time_point now);
  result<void> on_data_loaded(const message<schema::DataLoaded>& loaded, env::time_point now);
  result<void> on_ready(const message<schema::PlanReady>& ready, env::time_point now);
  result<void> on_progress(const message<schema::PhaseProgress>& progress, env::time_point now);
  result<void> on_partition(const message<schema::PartitionContent>& content, env::time_point now);
  /// Takes other options from the end of an epoch on. Errors: `refused` when the job is not
  /// training or changes already, those of job_change.
  result<void> change(const message<schema::ChangeJob>& request);
  result<void> on_limit(const message<schema::PhaseLimit>& limit);
  result<void> on_layout_taken(const message<schema::LayoutTaken>& taken, env::time_point now);
  result<void> on_backup_report(const message<schema::BackupReport>& synced, env::time_point now);
  void on_refused(const message<schema::Refusal>& refusal, env::time_point now);
  /// Errors: `refused` without a folder for checkpoints, those of job_checkpoint.
  result<void> create_checkpoint(const message<schema::CreateCheckpoint>& request,
                                 env::time_point now);
  result<void> on_pushes_held(const message<schema::PushesHeld>& held, env::time_point now);
  result<void> on_checkpoint_chunk(const message<schema::CheckpointChunk>& chunk,
                                   env::time_point now);
  void on_checkpoint_told(const checkpoint_told& told, env::time_point now);
  /// Nothing: the job has none yet.
  const job_checkpoint* checkpoints() const { return checkpoint_ ? &*checkpoint_ : nullptr; }
  /// Takes a node out of the job: the replicas that it has, which are told, move to other servers;
  /// its workers and data servers leave. Errors: `refused` where nobody could take their place.
  result<std::uint32_t> drain(const member& node, env::time_point now);
  /// After `members` has forgotten it.
  void on_member_lost(const member& lost, const error& why, env::time_point now);
  void on_member_joined(const member& joined);
  /// It may have missed what it was told last.
  void on_member_back(const member& back, env::time_point now);
  void fail(const error& why, const std::string& node, env::time_point now);
  /// A member says that the job cannot go on. Where it waited too long for another, while the job
  /// waits for its members or forms a new generation, it is told anew what to do, with the rest.
  void on_failed(const error& why, const std::string& node, env::time_point now);
  void cancel(env::time_point now);

private:
  using phase = schema::JobPhase;

  /// What a regrouping job waits for.
  enum class regrouping : std::uint8_t { no, layout, members, data, plan };

  /// Puts into the log where the job is. False: it could not be written, so nobody may be told.
  bool log_state();

  void enter(phase next, env::time_point now);
  void finish(phase last, env::time_point now);
  template <class T>
  void ask(const std::vector<job::place>& places, mesh::draft<T> what, env::time_point now);
  /// Whoever takes part, hosts of shards first.
  std::vector<job::place> participants() const;
  std::string name_of(const mesh::address& who) const;
  std::string waiting_names() const;
  void check_deadline(env::time_point now);

  void wait_for_members(env::time_point now);
  void load(env::time_point now);
  void prepare(env::time_point now);
  void ask_by_plan(env::time_point now);
  /// Goes on with what the plan was made for.
  void resume(env::time_point now);
  /// Goes on with the options of a change that was agreed on.
  void apply_change(env::time_point now);
  void start_phase(phase next, env::time_point now);
  mesh::draft<schema::StartPhase> start_message() const;
  void start_workers(env::time_point now);
  void after_training(env::time_point now);

  // job_recovery.cpp
  job_record record() const;
  /// Of the nodes of the plan those that are not there as they were.
  std::set<mesh::node_uuid> missing() const;
  std::vector<job::place> servers_without(const std::set<mesh::node_uuid>& missing) const;
  bool loses_shard_without(const std::set<mesh::node_uuid>& gone) const;
  /// A server is away, and may be back, that has what nobody else has: waits for it.
  void await_back(const member& lost, const std::string& reason, env::time_point now);
  void await_known(env::time_point now);
  /// Goes on without the nodes that are `gone`; `names` of those that were waited for.
  void take_up(const std::set<mesh::node_uuid>& gone, const std::string& names,
               env::time_point now);

  // job_regroup.cpp
  void begin_again(const std::string& reason, env::time_point now);
  /// Adapts the layout to the servers that are there; false if that ended the job.
  bool settle_layout(const error& why, const std::string& node, env::time_point now, bool& changed);
  void publish_layout(env::time_point now);
  /// A host refuses a layout because it does not know the plan: the link broke on which it came.
  void on_unplanned(const mesh::address& host);
  void introduce(const std::vector<job::place>& hosts);
  /// Makes a member forget the job.
  void dismiss(const member& from);
  void regroup(const std::string& reason, env::time_point now);
  void gather_members(env::time_point now);
  void set_progress();
  /// Tells the report how much of the training is done for good.
  void report_done();
  void take_in_arrivals(env::time_point now);
  void load_newcomers();

  // job_restoring.cpp
  /// Asks the members to act on the plan; where the job goes on from a checkpoint it is read first.
  void ask_from_beginning(env::time_point now);
  void on_reading(const checkpoint::reading_event& event, env::time_point now);
  void on_opened(const checkpoint::checkpoint_opened& opened, env::time_point now);
  /// Brings the shards to the checkpoint. False: they are there.
  bool restores(env::time_point now);
  /// Whether the job has a checkpoint to go back to, of this life of the coordinator or another.
  bool has_checkpoint() const;
  /// A shard is lost. False: there is nothing to go back to.
  bool go_back(const error& why, const std::string& node, env::time_point now);
  void make_checkpoints(env::time_point now);
  bool is_training() const;

  // job_saving.cpp
  void save(env::time_point now);
  void export_more(env::time_point now);
  result<void> make_model();
  void write_model(env::time_point now);

  const job_request request_;
  const checkpoint_makers makers_;
  const node::context_ptr context_;
  const mesh::service_id service_;
  const membership& members_;
  job_log* const log_;
  job::job_plan plan_;
  job_report report_;
  phase phase_ = phase::WAITING;
  bool changed_ = true;
  open_requests requests_;                // of the present phase
  std::set<mesh::address> still_working_; // workers of a phase
  env::time_point wait_until_;
  std::uint32_t phase_number_ = 0;
  bool starting_ = false; // a phase's data servers have been asked, its workers not yet
  std::optional<job_change> change_;

  std::optional<layout_keeper> keeper_; // once the shards are placed
  layout_round round_;
  std::set<mesh::address> planned_; // servers that were sent the plan
  bool begun_ = false;              // the members have acted on a plan
  phase resume_ = phase::TRAINING;  // after PREPARING
  regrouping regrouping_ = regrouping::no;
  std::string reason_;                         // to regroup
  std::string culprit_;                        // the node that was lost last
  std::optional<env::time_point> short_since_; // nobody left to work since then
  std::set<mesh::address> loaded_;             // data servers that have the data
  std::set<mesh::address> loading_;            // newcomers that were asked to read it
  std::set<mesh::address> arrivals_;           // could work for the job, and do not yet
  env::time_point arrivals_since_{};           // unchanged
  std::set<mesh::node_uuid> draining_;

  bool taking_up_ = false;                         // waits for members that the job had
  std::map<mesh::node_uuid, std::uint64_t> known_; // their incarnations
  std::map<std::string, mesh::node_uuid> away_;    // by endpoint: those that went since it waits
  bool gave_up_ = false;                           // a member has not waited so long
  kept_update end_;                                // once it has ended: the last word
  bool log_due_ = false;                           // rule log_first is broken
  restore_source from_;                            // where the job begins
  std::uint64_t restores_ = 0;                     // readers made
  std::optional<job_restore> restore_;             // while the job is brought there
  bool opened_ = false;                            // and the checkpoint is found
  std::string notice_;                             // that followers see when training begins
  std::optional<job_checkpoint> checkpoint_;
  std::optional<env::time_point> regather_until_; // for as many members as it began with

  std::uint32_t exports_asked_ = 0;
  std::set<std::uint32_t> exporting_; // asked for, not come yet
  std::vector<parameters::partition_content> exported_;
  /// The model as it is to be on the disk, which did not take it yet.
  struct {
    std::vector<std::byte> bytes;
    std::optional<env::time_point> since{}; // it refused first
    env::time_point again{};                // before that it is not asked again
  } unsaved_;
};

} // namespace gradmesh::coordinator
