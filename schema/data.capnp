@0xe247ac6e1a384022;
# Data servers: loading a data set and handing out batches of it.
#
# A *step* is one update of the synchronous strategies; it consumes the job's `batch` examples. A
# step's examples are cut into *pieces*, the unit that is handed out: `pieces` of them a step, fixed
# for the job, so that which examples make a piece depends on (seed, epoch, step, piece) alone and
# any data server makes the same piece.
#
# The training set is shuffled anew in each epoch, by (seed, epoch). Step t of an epoch holds the
# shuffled examples [t * batch, min((t + 1) * batch, n)); piece j of k holds, of a step with m
# examples, [m * j / k, m * (j + 1) / k). A piece can be empty.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

enum Split {
  train @0;
  test @1;
}

struct LoadData {
  # coordinator -> data server, control lane. Idempotent. Answer: DataLoaded or Refusal.
  jobId @0 :UInt64;
  config @1 :Text;          # the job file, resolved; the data server reads [data] of it
}

struct DataLoaded {
  jobId @0 :UInt64;
  sparse @1 :Bool;          # layout of the examples
  features @2 :UInt32;
  classes @3 :UInt32;
  trainExamples @4 :UInt64;
  testExamples @5 :UInt64;
  classNames @6 :List(Text); # empty when the source has none
  source @7 :Text;          # where it was read from, for people
}

struct LeaseBatch {
  # worker -> data server, bulk lane. Answer: Batch or Refusal.
  jobId @0 :UInt64;
  phase @1 :UInt32;         # number of the phase (StartPhase) that the lease belongs to
  rank @2 :UInt32;          # of the worker
  sequence @3 :UInt64;      # the worker's n-th lease from this data server in this phase, from 0
}

struct Batch {
  # data server -> worker, bulk lane. The body holds, each part padded to 8 bytes:
  #   labels   examples x Int32
  #   sparse:  (examples + 1) x UInt32 offsets beginning with 0, offsets[examples] x UInt32 indices
  #            (strictly ascending in an example, below the declared features), as many Float32
  #   dense:   examples * features x Float32, row-major
  jobId @0 :UInt64;
  phase @1 :UInt32;
  exhausted @2 :Bool;       # this data server has no more for the worker in this phase; no body
  epoch @3 :UInt32;         # from 0
  step @4 :UInt64;          # over all epochs, from 0
  stepExamples @5 :UInt32;  # examples in the whole step, of which this batch is a part
  examples @6 :UInt32;      # in this batch
  entries @7 :UInt64;       # sparse: number of indices
  pieceEnds @8 :List(UInt32); # the batch's pieces in order: end of each, in examples; last = examples
  firstPiece @9 :UInt32;    # of the step: number of the first of them
}
