@0xa3078e4ca635a041;
# Parameters: pull, push, export. All on the bulk lane, between workers and server shards (and the
# coordinator, for export).
#
# Tables, partitions, keys: see actors/parameters/. A shard owns some partitions; what a worker sends
# to it concerns only those. A body that carries values has this layout:
#
#   keys     keyCount x UInt64, strictly ascending, owned by the shard
#   dense    when `dense`: the shard's dense partitions in ascending order, Float32
#   rows     for each sparse table in declaration order: keyCount rows of the table's width, Float32
#
# Clock: the number of completed steps. A shard's clock is the number of updates that it has applied;
# under bsp one update is a step of the job, under async one push.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct Pull {
  # worker -> shard. Body: keys. Answer: Pulled or Refusal. Under bsp the shard keeps the request
  # until its clock is `clock`; under async it answers at once.
  jobId @0 :UInt64;
  rank @1 :UInt32;
  clock @2 :UInt64;
  dense @3 :Bool;
  keyCount @4 :UInt64;
}

struct Pulled {
  # shard -> worker. Body: dense and rows (no keys), in the order of the request.
  jobId @0 :UInt64;
  clock @1 :UInt64;           # of the shard when it read the values
}

struct Push {
  # worker -> shard. Body: keys, dense, rows. Answer: Pushed or Refusal.
  # Under bsp every worker pushes exactly once a step to every shard, even when it has nothing; the
  # shard applies the step's sum, in rank order, when all have come. A push of a step that is already
  # applied is acknowledged again and not applied; one of a later step than the current is refused.
  jobId @0 :UInt64;
  rank @1 :UInt32;
  sequence @2 :UInt64;        # the worker's n-th push to this shard in this job, from 0; under bsp
                              # the step
  readClock @3 :UInt64;       # clock of the values that the gradient was computed from
  dense @4 :Bool;
  keyCount @5 :UInt64;
}

struct Pushed {
  # shard -> worker: the push is applied (async), or is held for its step (bsp).
  jobId @0 :UInt64;
  sequence @1 :UInt64;
  staleness @2 :UInt64;       # updates applied between readClock and this push
}

struct ExportPartition {
  # coordinator -> shard. Answer: PartitionContent or Refusal. Asked only when nothing is pushed.
  jobId @0 :UInt64;
  partition @1 :UInt32;
}

struct PartitionContent {
  # The values, without optimizer state. Body: the partition's dense range, Float32, padded to 8
  # bytes; then for each sparse table: rows[t] x UInt64 keys ascending, rows[t] x width Float32,
  # padded to 8 bytes.
  jobId @0 :UInt64;
  partition @1 :UInt32;
  denseCount @2 :UInt64;
  rows @3 :List(UInt64);
}
