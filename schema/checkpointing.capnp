@0x9d3b0f7c61a2e845;
# How a running job comes to lie on a disk, and back to the shards. The files are specified in
# checkpoint.capnp.
#
# The coordinator has a *cut* made: a set of pieces (job.capnp) such that every shard has applied the
# pushes of these, whole, and of no others.
#
#   hold    each shard says what it has begun to apply (PushesHeld) and keeps every push of other
#           pieces waiting; what it has begun goes on
#   cut     what some shard has begun, all shards apply; where workers take steps by rank, all of
#           the steps that were begun. A shard that has all of the cut, and so nothing else, freezes
#           its image, takes the waiting pushes, and sends the image in CheckpointChunks
#   over    the checkpoint is written, or was given up: whatever of it is left is dropped
#
# So an image is of one moment of the job, whatever the strategy: there is no push that one shard has
# and another lacks, and the pieces are all that has to be known of what was done. The job can go on
# from it with any number of shards and, by rank, of workers. The price is that pushes wait for about
# two messages and the pushes that are under way. Pulls never wait for a checkpoint.
#
# Why it ends: a push that was begun somewhere was sent by its worker to all shards, and the cut lets
# it pass; by rank a worker that is behind may always read. A worker that dies, like any other layout,
# ends the checkpoint: a shard whose layout changes drops it. A shard that hears nothing of the
# coordinator for holdSeconds takes its waiting pushes and drops it, too.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");
using Job = import "job.capnp";

struct CreateCheckpoint {
  # client -> coordinator. Answer: CheckpointCreated when it is on the disk, or Refusal.
}

struct CheckpointCreated {
  jobId @0 :UInt64;
  number @1 :UInt64;          # of the checkpoint
  step @2 :UInt64;            # steps that are wholly in it
  steps @3 :UInt64;           # of the job
  bytes @4 :UInt64;           # that it stands for
  writtenBytes @5 :UInt64;    # those that did not lie in older ones
  seconds @6 :Float64;        # from the request
  heldSeconds @7 :Float64;    # that pushes waited, at most
  folder @8 :Text;            # on the coordinator's machine
}

struct CheckpointStage {
  # coordinator -> hosts of replicas, repeated until the next stage; only primaries act on it.
  # Idempotent. A stage of a ticket that was dropped, or of another layout, is ignored.
  jobId @0 :UInt64;
  layout @1 :UInt64;
  ticket @2 :UInt64;          # greater for each checkpoint
  holdSeconds @3 :Float32;    # see above
  stage :union {
    hold @4 :Void;
    cut @5 :Job.PieceSet;
    over @6 :Void;
  }
}

struct PushesHeld {
  # host -> coordinator: the answer to hold, of the shards that it is primary of. `done` is what a
  # shard has begun to apply.
  jobId @0 :UInt64;
  ticket @1 :UInt64;
  shards @2 :List(Job.ShardProgress);
}

struct CheckpointChunk {
  # primary -> coordinator. Body: a chunk of the image (actors/server_shard/image_chunk.hpp), in
  # order. At most 16 are on their way.
  jobId @0 :UInt64;
  ticket @1 :UInt64;
  shard @2 :UInt32;
  number @3 :UInt64;          # from 0
  last @4 :Bool;
}

struct CheckpointTaken {
  # coordinator -> primary: so many chunks of the shard need not be sent again.
  jobId @0 :UInt64;
  ticket @1 :UInt64;
  shard @2 :UInt32;
  chunks @3 :UInt64;
  again @4 :Bool;             # what was sent beyond these has not come: send it again
}

struct RestoreChunk {
  # coordinator -> hosts, before a job begins that goes on from a checkpoint: a replica of this shard
  # takes in what is its own of a chunk. Chunks may come in any order and more than once; after `last`
  # the replica begins with the cut of its plan. Answer: PlanReady or Refusal.
  jobId @0 :UInt64;
  layout @1 :UInt64;
  shard @2 :UInt32;
  last @3 :Bool;              # no body
}

struct CheckpointProgress {
  # What the coordinator keeps in CheckpointManifest.progress.
  config @0 :Text;            # the job file with defaults filled in, and what was changed since
  done @1 :Job.PieceSet;      # the cut
  pieces @2 :UInt32;          # of a step
  examples @3 :UInt64;        # in the training set
}
