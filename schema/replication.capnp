@0xd0a1be2c5b7d4e11;
# Replication: how the backup of a shard comes to have what its primary has. On the bulk lane between
# server shards, all of one priority, so that what one sends comes in the order in which it was sent.
#
# Everything carries the number of the layout (job.capnp) that its sender acts on; who acts on another
# refuses it with stale_layout.
#
# A backup that the layout calls syncing has nothing. Its primary freezes the shard as it is and sends
# that as SnapshotChunks; each later change follows them as Replicate. When all chunks are in, and
# all changes that were acknowledged to workers meanwhile, the primary tells the coordinator
# (BackupReport), whose next layout calls the backup synced. From the moment it tells, the primary
# acknowledges to workers only what the backup has acknowledged. A backup that acknowledges nothing
# more, though the coordinator hears of it, is reported too, and the next layout parts the two.
#
# Changes are numbered in their order, the first of the job or after a snapshot is 1. A backup takes
# the next number, acknowledges again what it has, refuses a gap. When a layout with another number
# keeps the pair (ShardReplicas.pairing), the primary sends again under it what is not acknowledged,
# chunks or changes. A backup of another pairing forgets what it had: it may have been left behind.
#
# Pushes of a dense block whose rule keeps no state go as the block that they made ("replication after
# aggregation", Li et al.: "Scaling distributed machine learning with the parameter server", OSDI
# 2014): such a change waits until most of what is on its way has come, and pushes of its block that
# come meanwhile join it, so that the backup is sent one block for all of them. That is the block of
# the moment of sending; so nothing joins a change that was sent once, though it may be sent again.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");
using Parameters = import "parameters.capnp";

struct Replicate {
  # primary -> backup. Body: as that of Push, always with the keys, always Float32 (`block`: see there).
  # Answer: Replicated, which may be for several, or Refusal.
  jobId @0 :UInt64;
  shard @1 :UInt32;
  layout @2 :UInt64;
  number @3 :UInt64;
  more @4 :Bool;              # the change goes on in the next one: nothing is applied yet
  parts @5 :List(ReplicatedPart);
  change :union {
    pushes @6 :Void;          # parts of pushes, each applied as it came
    step @7 :StepApplied;     # the parts are the sums over a step
    block @8 :UInt64;         # the parts are pushes of one block, all that it has had since the change
                              # of it before; the body is its values after them. It had seen so many
                              # updates then.
  }
}

struct ReplicatedPart {
  part @0 :Parameters.Part;
  rate @1 :Float32;           # learning rate; of pushes (a step's follows from its number)
  # pushes, block: which part of which push it is; see PushedPart
  number @2 :UInt32;
  count @3 :UInt32;
  step @4 :UInt64;
  firstPiece @5 :UInt32;
  pieces @6 :UInt32;
}

struct StepApplied {
  step @0 :UInt64;
  ranks @1 :List(UInt32);     # whose pushes are in the sum
}

struct Replicated {
  # backup -> primary: all changes below `next` are applied here.
  jobId @0 :UInt64;
  shard @1 :UInt32;
  layout @2 :UInt64;
  next @3 :UInt64;
}

struct SnapshotChunk {
  # primary -> backup. Body: a chunk of the shard's image, as actors/server_shard/image_chunk.hpp says.
  # Answer: SnapshotTaken or Refusal. A backup takes one snapshot in a pairing, its chunks in order;
  # one that it has is answered again.
  jobId @0 :UInt64;
  shard @1 :UInt32;
  layout @2 :UInt64;
  number @3 :UInt64;          # of the chunk, from 0
  last @4 :Bool;
}

struct SnapshotTaken {
  # backup -> primary: so many chunks are in; if these are all, the backup is the shard as it was when
  # the image was frozen, and Replicates follow from number 1.
  jobId @0 :UInt64;
  shard @1 :UInt32;
  layout @2 :UInt64;
  chunks @3 :UInt64;
}

struct BackupReport {
  # primary -> coordinator, control lane, repeated until a layout says so.
  jobId @0 :UInt64;
  shard @1 :UInt32;
  pairing @2 :UInt64;         # of the two; see ShardReplicas
  synced @3 :Bool;            # the backup has all that was acknowledged and will have all that is;
                              # otherwise it acknowledges nothing, for longer than a link is down
}
