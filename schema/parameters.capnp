@0xa3078e4ca635a041;
# Parameters: pull, push, export. All on the bulk lane, between workers and server shards (and the
# coordinator, for export).
#
# Tables, partitions, keys: see actors/parameters/. A shard owns some partitions; what a worker sends
# to it concerns only those.
#
# Part       The unit of pulls and pushes, so that none is much longer than 1 MiB and the shard works
#            on one while the next is on its way: a *block* of the shard's dense range (65,536
#            floats; the last is shorter), or the rows of a *run* of keys. A step's pull or push has
#            at least one part for every shard, if need be an empty run. Small parts share a message.
# Body       The parts one after the other, each padded with zeros to a multiple of 8 bytes:
#              block     its values
#              run       keyCount x UInt64, strictly ascending, unless they are known (below); then,
#                        for each sparse table in declaration order, keyCount rows of its width
#            Values are Float32, or what the job says for pushes and pulls (job.push_as, pull_as); the
#            formats are in actors/parameters/transfer_codec.hpp.
# Known keys A shard remembers the key lists that each worker sent lately by their hash (XXH3-64 of
#            the keys as bytes). A worker may leave out keys that it has sent before; if the shard has
#            forgotten them it refuses with unknown_keys, and the worker sends them again.
# Answers    bear the request's message id. A Refusal is for all parts of the request that have no
#            other answer; after retry_later and unknown_keys the worker sends these parts again.
# Clock      A worker's clock is the number of steps that it has completed; the shard's clock is the
#            number of updates that it has applied: steps where it sums them (bsp), else pushes.
# Strategy   (job.strategy) says when a pull is answered. bsp: when all steps before the worker's
#            clock c are applied. ssp: when every worker's pushes of the steps before c - staleness,
#            and all of its own before c, are applied. bounded-delay: when all tasks before t - delay
#            are applied; task t of M workers is the part of worker t % M in step t / M. async: at
#            once. A pull that has to wait is kept by the shard.
# Own writes Under ssp a worker that knows by which rule its pushes are applied (w -= rate g) does not
#            wait until they are: it adds to what it read those that are missing, and so reads ahead
#            (addsOwn). The shard answers when the other workers are far enough, and none of the
#            worker's own pushes is there in part, and says which are missing (ownMissing). So what
#            the worker computes from has all of its own pushes once, and reads at its clock c see
#            what they are promised.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct Part {
  union {
    block @0 :UInt32;
    keys @1 :KeyList;
  }
  number @2 :UInt32;          # of this part in its pull, from 0 (in a push: PushedPart.number)
}

struct KeyList {
  count @0 :UInt64;
  hash @1 :UInt64;
  sent @2 :Bool;              # false: the shard knows them by their hash
}

struct Pull {
  # worker -> shard. Body: the keys of its runs, in order. Answer: one Pulled or more, or Refusal.
  jobId @0 :UInt64;
  rank @1 :UInt32;
  clock @2 :UInt64;           # of the worker; 0 under async
  parts @3 :List(Part);
  shard @5 :UInt32;
  layout @6 :UInt64;          # number of the layout that the worker acts on; with another one the
                              # shard refuses with stale_layout
  forPush @4 :UInt64;         # 1 + sequence of the push that is computed from the values; 0: none
                              # will be (evaluation). For the clock log; no answer depends on it.
  ofSnapshot @7 :Bool;        # SVRG: the values at the latest snapshot, of blocks only
  addsOwn @8 :Bool;           # the worker adds its own pushes that are missing: see Own writes
}

struct Pulled {
  # shard -> worker. Body: the values of the parts (no keys).
  jobId @0 :UInt64;
  clock @1 :UInt64;           # of the shard when it read the values
  parts @2 :List(UInt32);     # which of the request's parts these are, in the order of the body
  heldSeconds @3 :Float64;    # that the shard kept the request until the strategy allowed to answer
  ownMissing @4 :UInt64;      # 1 + the first of the worker's own steps that are not in the values; none
                              # of those after it is. 0: all before the worker's clock are.
}

struct Push {
  # worker -> shard. Body: keys and values. Answer: Pushed or Refusal.
  # Where workers take steps by rank (all strategies but async) each pushes exactly once a step to
  # every shard, even when it has nothing. bsp: the shard applies the step's sum, in rank order, when
  # all have come whole (or all but the backup workers; then what comes later is acknowledged and
  # dropped). Otherwise each part is applied as it comes. The parts of one message are taken all or
  # none. A part that was taken before is acknowledged again and not applied; one of a push that is
  # too far ahead, or that has pieces which were applied and pieces which were not, is refused.
  # With snapshots ([job] svrg_epochs = n; bsp, dense tables only) epoch e takes one if n + 1 divides
  # it. Of its steps a worker pushes its part of the gradient of the whole set, 1 / examples of the
  # set for each example, at the parameters w~, which the shard then leaves as they are: it adds up
  # mu, beginning anew with the epoch's first step. Of the other steps a worker pushes its part of
  # g(w) - g(w~), and the shard applies their sum plus mu.
  jobId @0 :UInt64;
  rank @1 :UInt32;
  parts @2 :List(PushedPart);
  shard @3 :UInt32;
  layout @4 :UInt64;          # as in Pull
}

struct PushedPart {
  part @0 :Part;
  sequence @1 :UInt64;        # the step; under async the worker's n-th push in this phase, from 0 (for
                              # the clock log)
  number @2 :UInt32;          # of this part in the push, from 0
  count @3 :UInt32;           # parts of the push
  readClock @4 :UInt64;       # clock of the values that the gradient was computed from
  step @5 :UInt64;            # the batch that it was computed from: pieces
  firstPiece @6 :UInt32;      # [firstPiece, firstPiece + pieces) of the step. They name the push: the
  pieces @7 :UInt32;          # shard applies those of a piece once, whoever sends them.
  ownSteps @8 :UInt64;        # where the worker adds its own pushes to what it reads: how many of its
                              # steps are in what the gradient was computed from (for the clock log)
}

struct Pushed {
  # shard -> worker: the parts are applied, or held for their step (bsp).
  jobId @0 :UInt64;
  parts @1 :List(UInt32);     # which of the request's parts
  staleness @2 :List(UInt64); # for each: updates applied between readClock and this push, if the
                              # part was the last of its push
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
