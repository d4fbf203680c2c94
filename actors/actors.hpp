#pragma once

/// Every actor of a mesh, as a typed interface. `mesh::message<T>` comes from another actor, mostly
/// on another node, and is specified in schema/; whatever is no message<T> stays inside the node.
///
/// No actor uses request/response of CAF between nodes: an answer is a message like any other and
/// names the request's number in its header. What an actor's handler refuses is answered with a
/// Refusal (mesh/receive.hpp).

#include "actors/env/network/network.hpp"
#include "actors/learning/table.hpp"
#include "actors/mesh/deliver.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradmesh {

using mesh::message;

/// INTERNAL: time to look at the clock; an actor sends it to itself.
struct tick {};

/// A link to another node came up, went down, or did not come about. Sent by the network to the
/// node actor, and by it to the others.
struct peer_up {
  env::peer who;
};
struct peer_down {
  env::peer who;
  error why;
};
struct connect_failed {
  config::endpoint to;
  error why;
};

/// INTERNAL to a node: it is a member of the mesh that this coordinator keeps.
struct joined_mesh {
  mesh::node_uuid coordinator;
};

/// The node listens (or does not: empty), so it can join the mesh.
struct join_mesh {
  std::string endpoint;
};

namespace worker {
struct step_work;
}
/// A step handed to the compute actor, and handed back with its gradients. Whoever received it last
/// is the only one to use it.
struct compute_request {
  std::shared_ptr<worker::step_work> work;
};
struct compute_done {
  std::shared_ptr<worker::step_work> work;
};
/// Blocks of the parameters of the step that will be handed over next have come; they stay as they
/// are from now on. The step is the sender's all the same.
struct compute_ahead {
  std::shared_ptr<const worker::step_work> work;
  std::vector<learning::dense_version> blocks;
};
/// INTERNAL to a gpu_stream: the device is done with its how-manieth step.
struct device_done {
  std::uint64_t number = 0;
};

/// INTERNAL to a node: something to do when its time has come.
struct timed_call {
  std::function<void()> task;
};

/// Lets a node's plain code have things done later: it is sent them with a delay.
using timer_actor = caf::typed_actor<
    // Does it.
    caf::reacts_to<timed_call>>;

/// A block of a clock log, to be appended; `last`: nothing follows.
struct log_block {
  std::string bytes;
  bool last = false;
};

namespace store {
struct checkpoint_chunk;
struct checkpoint_summary;
struct model_identity;
} // namespace store

/// What a checkpoint comes to its writer as: begin, chunks, end or drop. `ticket`: from whoever has
/// it made, greater each time; what is of an older one is dropped.
struct checkpoint_begin {
  std::uint64_t ticket = 0;
};
struct checkpoint_part {
  std::uint64_t ticket = 0;
  std::shared_ptr<const store::checkpoint_chunk> chunk;
};
struct checkpoint_end {
  std::uint64_t ticket = 0;
  std::shared_ptr<const store::checkpoint_summary> summary;
  std::uint32_t shards = 0; // 0..shards-1 have given chunks
};
struct checkpoint_drop {
  std::uint64_t ticket = 0;
};

/// Writes the checkpoints of a job to the disk, one at a time, and takes old ones away.
using checkpoint_writer_actor = caf::typed_actor<
    // INTERNAL: a new one; what is left of the one before is given up.
    caf::reacts_to<checkpoint_begin>,
    // INTERNAL: a chunk of it.
    caf::reacts_to<checkpoint_part>,
    // INTERNAL: all chunks have come.
    caf::reacts_to<checkpoint_end>,
    // INTERNAL: it is not wanted any more.
    caf::reacts_to<checkpoint_drop>>;

/// Asks for the checkpoint to go on from. `number` 0: the newest that is whole.
struct checkpoint_open {
  std::string folder;
  std::uint64_t number = 0;
  std::shared_ptr<const store::model_identity> wanted; // null: whatever it is of
};
/// Asks for a chunk of it: the so-manieth of all shards in their order.
struct checkpoint_fetch {
  std::uint64_t chunk = 0;
};

/// Reads the chunks of a checkpoint.
using checkpoint_reader_actor = caf::typed_actor<
    // INTERNAL: finds it and compares all of it with its checksums.
    caf::reacts_to<checkpoint_open>,
    // INTERNAL: reads a chunk.
    caf::reacts_to<checkpoint_fetch>>;

namespace checkpoint {
struct checkpoint_news;
}
/// INTERNAL to a node: what became of a job's checkpoint on the disk.
struct checkpoint_told {
  std::uint64_t job_id = 0;
  std::uint64_t source = 0; // a reader's number
  std::shared_ptr<const checkpoint::checkpoint_news> news;
};

/// Writes the clock log of a shard to the disk.
using log_writer_actor = caf::typed_actor<
    // INTERNAL: the next block.
    caf::reacts_to<log_block>>;

/// INTERNAL: time to tell primaries of shards what their backups here have applied.
struct answer_primaries {};
/// INTERNAL: time to send a backup again what it refused.
struct resume_replication {};

/// Computes loss and gradients on one backend, one step at a time.
using compute_actor = caf::typed_actor<
    // Fills in the step's gradients and metrics, or its error, and hands it back.
    caf::reacts_to<compute_request>,
    // May begin to copy them.
    caf::reacts_to<compute_ahead>>;

/// Runs steps on one device: at most so many at once, each begun without waiting for the one
/// before. Conforms to the protocol of the compute actor.
using gpu_stream_actor = caf::typed_actor<
    // Enqueues the step on the device; hands it back when its results are in host memory.
    caf::reacts_to<compute_request>,
    // Copies them, if the step would be begun now.
    caf::reacts_to<compute_ahead>,
    // INTERNAL: from the device.
    caf::reacts_to<device_done>,
    // INTERNAL: look whether the device still works.
    caf::reacts_to<tick>>;

/// Keeps a gpu_stream alive: a fresh one for one that ended, on the CPU where the device is lost.
/// Conforms to the protocol of the compute actor.
using gpu_host_actor = caf::typed_actor<
    // Has the step computed, on whatever there is by then.
    caf::reacts_to<compute_request>,
    // Tells its gpu_stream.
    caf::reacts_to<compute_ahead>,
    // From its gpu_stream.
    caf::reacts_to<compute_done>>;

/// Whoever is told of computed steps.
using compute_client = caf::typed_actor<caf::reacts_to<compute_done>>;

/// Has replicas of shards, each of which is some partitions of the parameters.
using server_shard_actor = caf::typed_actor<
    // Creates the parameters of a job with their initial values, or changes the options of the job
    // that it has; answers PlanReady.
    caf::reacts_to<message<schema::JobPlan>>,
    // Forgets the job.
    caf::reacts_to<message<schema::EndJob>>,
    // Makes its replicas primaries or backups, or forgets them; answers LayoutTaken.
    caf::reacts_to<message<schema::Layout>>,
    // Answers Pulled with the values, when the job's strategy allows to read them.
    caf::reacts_to<message<schema::Pull>>,
    // Applies gradients when the job's strategy says so; answers Pushed.
    caf::reacts_to<message<schema::Push>>,
    // As a backup: does what the primary did; answers Replicated, one for several.
    caf::reacts_to<message<schema::Replicate>>, caf::reacts_to<answer_primaries>,
    caf::reacts_to<resume_replication>,
    // As a primary: the backup has it, so that workers may be told.
    caf::reacts_to<message<schema::Replicated>>,
    // As a backup that has nothing: becomes what the primary was; answers SnapshotTaken.
    caf::reacts_to<message<schema::SnapshotChunk>>,
    // As a primary: tells the coordinator when the backup has everything.
    caf::reacts_to<message<schema::SnapshotTaken>>,
    // Answers PartitionContent.
    caf::reacts_to<message<schema::ExportPartition>>,
    // As a primary: makes the shard's part of a checkpoint; answers PushesHeld, CheckpointChunk.
    caf::reacts_to<message<schema::CheckpointStage>>,
    caf::reacts_to<message<schema::CheckpointTaken>>,
    // Takes in what a checkpoint has of a shard; answers PlanReady.
    caf::reacts_to<message<schema::RestoreChunk>>,
    // Something it sent was refused.
    caf::reacts_to<message<schema::Refusal>>,
    // Links come and go: what was on its way to a backup is sent again.
    caf::reacts_to<peer_up>, caf::reacts_to<peer_down>,
    // INTERNAL: report counters.
    caf::reacts_to<tick>>;

/// Leases batches, pulls what they touch, has gradients computed, pushes them.
using worker_actor = caf::typed_actor<
    // Builds the model and waits for links to all shards and data servers; answers PlanReady.
    caf::reacts_to<message<schema::JobPlan>>,
    // Learns where the shards are now; answers LayoutTaken.
    caf::reacts_to<message<schema::Layout>>,
    // Begins a pass over the training or test data.
    caf::reacts_to<message<schema::StartPhase>>,
    // Forgets the job.
    caf::reacts_to<message<schema::EndJob>>,
    // A leased batch, or the word that there are no more.
    caf::reacts_to<message<schema::Batch>>,
    // Parameters of a step.
    caf::reacts_to<message<schema::Pulled>>,
    // A shard has a step's gradients.
    caf::reacts_to<message<schema::Pushed>>,
    // Something it sent was refused; the job cannot go on.
    caf::reacts_to<message<schema::Refusal>>,
    // INTERNAL: the compute actor is done with a step.
    caf::reacts_to<compute_done>,
    // The links that a plan waits for; what went over a lost one is sent again.
    caf::reacts_to<peer_up>, caf::reacts_to<peer_down>,
    // INTERNAL: there is a coordinator (again). Another one than that of the job ends the job.
    caf::reacts_to<joined_mesh>,
    // INTERNAL: report progress, look for requests without an answer.
    caf::reacts_to<tick>>;

/// Holds a data set and hands out batches of it.
using data_server_actor = caf::typed_actor<
    // Reads the data; answers DataLoaded.
    caf::reacts_to<message<schema::LoadData>>,
    // Learns how steps are cut into batches; answers PlanReady.
    caf::reacts_to<message<schema::JobPlan>>,
    // Hands out the training or test set from its beginning; answers PlanReady.
    caf::reacts_to<message<schema::StartPhase>>,
    // Answers PhaseLimit: ends a training phase at the end of an epoch.
    caf::reacts_to<message<schema::LimitPhase>>,
    // Answers Batch.
    caf::reacts_to<message<schema::LeaseBatch>>,
    // Forgets the job (the data stays until other data is asked for).
    caf::reacts_to<message<schema::EndJob>>,
    // Something it sent was refused.
    caf::reacts_to<message<schema::Refusal>>>;

/// Keeps membership and runs jobs.
using coordinator_actor = caf::typed_actor<
    // Admits a node; answers Registered and publishes a View.
    caf::reacts_to<message<schema::Register>>,
    // A member is alive and well.
    caf::reacts_to<message<schema::Heartbeat>>,
    // Answers Status.
    caf::reacts_to<message<schema::StatusRequest>>,
    // Takes a job; answers JobAccepted, then JobUpdate until it has ended.
    caf::reacts_to<message<schema::SubmitJob>>,
    // Ends the running job.
    caf::reacts_to<message<schema::CancelJob>>,
    // Changes options of the running job from the end of an epoch on; answers JobChanged.
    caf::reacts_to<message<schema::ChangeJob>>, caf::reacts_to<message<schema::PhaseLimit>>,
    // Answers of members that a phase of the job waits for.
    caf::reacts_to<message<schema::DataLoaded>>, caf::reacts_to<message<schema::PlanReady>>,
    caf::reacts_to<message<schema::PhaseProgress>>,
    caf::reacts_to<message<schema::PartitionContent>>,
    // A member acts on the layout; a backup has what its primary has.
    caf::reacts_to<message<schema::LayoutTaken>>, caf::reacts_to<message<schema::BackupReport>>,
    // Takes a node out of the running job; answers DrainStarted.
    caf::reacts_to<message<schema::DrainNode>>,
    // Has a checkpoint of the running job written; answers CheckpointCreated.
    caf::reacts_to<message<schema::CreateCheckpoint>>,
    // What shards have for it, and what the disk says.
    caf::reacts_to<message<schema::PushesHeld>>, caf::reacts_to<message<schema::CheckpointChunk>>,
    caf::reacts_to<checkpoint_told>,
    // The job cannot go on.
    caf::reacts_to<message<schema::JobFailed>>, caf::reacts_to<message<schema::Refusal>>,
    // Ends the mesh: all members are told, then its own node.
    caf::reacts_to<message<schema::Shutdown>>,
    // A node's link broke.
    caf::reacts_to<peer_down>,
    // INTERNAL: look for silent members, tell followers how far the job is.
    caf::reacts_to<tick>>;

/// Joins its node to the mesh: registers, beats, dials the members it works with, stops the node.
using node_actor = caf::typed_actor<
    // Registers with the coordinator, which it looks for from now on.
    caf::reacts_to<join_mesh>,
    // The coordinator admitted this node.
    caf::reacts_to<message<schema::Registered>>,
    // Who is in the mesh.
    caf::reacts_to<message<schema::View>>,
    // The coordinator ends the mesh.
    caf::reacts_to<message<schema::Shutdown>>,
    // The coordinator does not want this node.
    caf::reacts_to<message<schema::Refusal>>,
    // Links come and go.
    caf::reacts_to<peer_up>, caf::reacts_to<peer_down>, caf::reacts_to<connect_failed>,
    // INTERNAL: heartbeat, redial.
    caf::reacts_to<tick>>;

} // namespace gradmesh

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::peer_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::peer_down)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::connect_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::join_mesh)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::joined_mesh)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::timed_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::compute_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::compute_ahead)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::compute_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::device_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::log_block)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_begin)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_part)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_end)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_drop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_open)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_fetch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::checkpoint_told)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::answer_primaries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(gradmesh::resume_replication)
