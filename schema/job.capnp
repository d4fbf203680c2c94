@0xe7e68112d8524ce7;
# Jobs: what is trained, by whom, and how far it is.
#
# A client submits a job file to the coordinator, which runs it through these phases:
#
#   waiting    until a server shard, a worker and a data server are members
#   loading    data servers read the data (LoadData -> DataLoaded)
#   preparing  shards make the parameters, workers the model (JobPlan -> PlanReady)
#   training   StartPhase -> PhaseProgress ... PhaseProgress with done
#   evaluating the same on the test set, when there is one
#   saving     partitions are collected from the shards and written (ExportPartition)
#   done | failed | cancelled
#
# When a worker or data server is lost or comes while the job runs, or a server is lost, the members
# *regroup*: a layout with a higher number fences what is on its way, its hosts say how far the shards
# are (LayoutTaken), and a JobPlan with a higher revision (a *generation*) goes on from there. Control
# requests without an answer are sent again, so all of them are idempotent.
#
# A change of a job's options (ChangeJob) ends training at the end of an epoch and goes through
# preparing into training again, with the parameters as they are.
#
# After the last, EndJob frees what the members hold for the job. The client is sent a JobUpdate on
# every change of phase and several times a second while a phase runs. One job runs at a time.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct SubmitJob {
  # client -> coordinator, control lane. Answer: JobAccepted or Refusal (config errors, job running).
  config @0 :Text;            # the job file with defaults filled in; empty: that of the checkpoint
  minServers @1 :UInt32;      # shards, workers and data servers to wait for before it starts
  minWorkers @2 :UInt32;
  minDataServers @3 :UInt32;
  waitSeconds @4 :UInt32;     # how long to wait for them
  resumeFrom @5 :Text;        # folder of checkpoints on the coordinator's machine that the job goes
                              # on from; empty: it begins anew
  resumeNumber @6 :UInt64;    # of the checkpoint; 0: the newest that is whole
}

struct JobAccepted {
  jobId @0 :UInt64;
}

struct CancelJob {
  # client -> coordinator, control lane. The job ends as "cancelled"; no answer but JobUpdate.
  jobId @0 :UInt64;
}

struct ChangeJob {
  # client -> coordinator, control lane. Answer: JobChanged or Refusal (no job is training, the last
  # epoch has begun, options that cannot be changed or make no sense).
  options @0 :List(Text);     # "job.strategy=ssp"
}

struct JobChanged {
  # The job takes the new options from here on.
  jobId @0 :UInt64;
  step @1 :UInt64;
  epoch @2 :UInt32;           # from 0
}

enum JobPhase {
  none @0;
  waiting @1;
  loading @2;
  preparing @3;
  training @4;
  evaluating @5;
  saving @6;
  done @7;
  failed @8;
  cancelled @9;
}

struct WorkerProgress {
  # What one worker has done in a phase. Times are wall time of the worker's pipeline: *busy* counts
  # each stage by itself, *stalled* is time in which the compute stage had nothing to do, by what it
  # waited for.
  rank @0 :UInt32;
  name @1 :Text;
  steps @2 :UInt64;
  examples @3 :UInt64;
  lossSum @4 :Float64;          # over `examples`
  correct @5 :UInt64;
  recentLoss @6 :Float64;       # mean over the examples since the last report; NaN when none
  stalenessSum @7 :UInt64;      # over acknowledged pushes: updates applied since the worker read
  stalenessMax @8 :UInt64;
  pushes @9 :UInt64;            # acknowledged
  computeSeconds @10 :Float64;
  stalledLeaseSeconds @11 :Float64;
  stalledPullSeconds @12 :Float64;
  stalledPushSeconds @13 :Float64;
  epoch @14 :UInt32;            # of the batch computed last
  pulls @15 :UInt64;            # answered
  bytesSent @16 :UInt64;        # of leases, pulls and pushes, as frames
  bytesReceived @17 :UInt64;    # of their answers
  skippedExamples @18 :UInt64;  # of steps that were over before this worker came to them
  activeSeconds @19 :Float64;   # since the phase began
  busyLeaseSeconds @20 :Float64; # while a lease was on its way
  busyPullSeconds @21 :Float64; # while parameters were, without heldPullSeconds
  busyPushSeconds @22 :Float64; # while gradients, or their acknowledgement, were
  heldPullSeconds @23 :Float64; # that shards kept parameters back until the strategy allowed to
                                # read them: of each step, the answer that came last
}

struct JobUpdate {
  jobId @0 :UInt64;
  name @1 :Text;
  phase @2 :JobPhase;
  text @3 :Text;              # what it waits for, or why it failed
  strategy @4 :Text;
  epochs @5 :UInt32;
  stepsTotal @6 :UInt64;      # steps of the whole job
  examplesTotal @7 :UInt64;   # training examples of the whole job
  examplesDone @8 :UInt64;    # in the phase that runs (training: of examplesTotal)
  phaseSeconds @9 :Float64;   # since the phase began
  trainSeconds @10 :Float64;  # length of the training phase, so far
  loss @11 :Float64;          # recent mean training loss; NaN before the first
  workers @12 :List(WorkerProgress);
  trainExamples @13 :UInt64;  # in the training set
  testExamples @14 :UInt64;
  features @15 :UInt32;
  classes @16 :UInt32;
  source @17 :Text;           # of the data
  parameters @18 :UInt64;     # floats in the model when saved; 0 before
  testCorrect @19 :UInt64;    # after evaluating
  testLossSum @20 :Float64;
  testDone @21 :UInt64;
  modelFile @22 :Text;        # where it was saved; empty when not
  parametersSha256 @23 :Text; # hex; of the parameters in canonical form
  failedNode @24 :Text;       # failed: name of the node that was the first to fail, when one was
  lossHistory @25 :List(Float32); # mean training loss over equal parts of the job, oldest first
  servers @26 :UInt32;        # shards, workers and data servers that take part
  dataServers @27 :UInt32;    # 0: each worker reads the data itself
  workerCount @28 :UInt32;
  generation @29 :UInt32;     # revision of the JobPlan that the members act on
  layout @30 :Layout;         # where the shards are
}

struct Table {
  name @0 :Text;
  sparse @1 :Bool;
  width @2 :UInt64;           # dense: elements; sparse: floats in a row
  uniformLimit @3 :Float32;   # initial values are uniform in [-limit, limit); 0: zeros
}

struct Place {
  # An actor somewhere in the mesh.
  uuid @0 :Data;              # 16 bytes
  service @1 :UInt32;
  name @2 :Text;              # of its node, for error messages
}

struct ShardReplicas {
  # Where a shard of the job is: its copies.
  primary @0 :Place;          # answers workers
  backup @1 :Place;           # has what the primary has, or is on the way to it; see backupState
  backupState @2 :BackupState;
  pairing @3 :UInt64;         # number of the layout that named this backup to this primary; what a
                              # backup has counts only as long as it stays the same
}
enum BackupState {
  none @0;                    # there is no backup; `backup` says nothing
  syncing @1;                 # it takes over what the primary has
  synced @2;                  # whatever the primary acknowledges it has as well
}
struct Layout {
  # coordinator -> hosts of replicas and workers of a job, control lane. Idempotent. Answer:
  # LayoutTaken, or Refusal by a host that cannot be what the layout says. A layout with a higher
  # number replaces the one before; others are ignored. Without a job of this id: Refusal.
  jobId @0 :UInt64;
  number @1 :UInt64;          # from 1
  shards @2 :List(ShardReplicas); # S of them, for the whole life of the job
}
struct LayoutTaken {
  jobId @0 :UInt64;
  number @1 :UInt64;
  progress @2 :List(ShardProgress); # of the shards that the answerer is primary of
}
struct ShardProgress {
  shard @0 :UInt32;
  clock @1 :UInt64;           # of the shard; see parameters.capnp
  done @2 :PieceSet;          # whose pushes it has applied whole
}
struct PieceSet {
  # Pieces by their number in the job: step * pieces + piece.
  below @0 :UInt64;           # all pieces below
  above @1 :List(UInt64);     # and these, ascending
}
struct JobPlan {
  # coordinator -> shards, workers, data servers; control lane. Idempotent. Answer: PlanReady or
  # Refusal. With a higher revision the job goes on with other options or members (a new generation):
  # shards keep their parameters and ledgers, whatever else was under way is forgotten.
  jobId @0 :UInt64;
  config @1 :Text;
  sparse @2 :Bool;            # shape of the data
  features @3 :UInt32;
  classes @4 :UInt32;
  tables @5 :List(Table);
  partitions @6 :UInt32;
  layout @7 :Layout;          # shard s owns the partitions [P * s / S, P * (s + 1) / S)
  workers @8 :List(Place);    # in rank order
  dataServers @9 :List(Place); # with partitioned data one for each worker, on its node
  pieces @10 :UInt32;         # pieces of a step; see data.capnp
  stepsPerEpoch @11 :UInt64;
  steps @12 :UInt64;          # steps of the whole job
  firstStep @13 :UInt64;      # where training begins; steps when it is over
  revision @14 :UInt32;       # the generation, from 0
  examples @15 :UInt64;       # in the training set
  done @16 :PieceSet;         # pieces that no data server hands out again (async; otherwise empty)
  begins @17 :Bool;           # nothing was trained: primaries and synced backups have the initial
                              # parameters, whatever they had before
}

struct PlanReady {
  jobId @0 :UInt64;
}

enum PhaseKind {
  train @0;
  evaluate @1;
}

struct StartPhase {
  # coordinator -> workers and data servers, control lane, data servers first. A phase ends when
  # every worker has sent PhaseProgress with done. Idempotent by (jobId, phase). Answer: PlanReady.
  jobId @0 :UInt64;
  phase @1 :UInt32;           # from 1
  kind @2 :PhaseKind;
  revision @3 :UInt32;        # of the plan that it belongs to; with another one it is ignored
}

struct LimitPhase {
  # coordinator -> data servers of a training phase, control lane. Idempotent. steps = 0: the answer
  # says at the end of which epoch the data server can still stop, and it hands out nothing beyond
  # until it is told. Otherwise training ends after so many steps of the job.
  jobId @0 :UInt64;
  phase @1 :UInt32;
  steps @2 :UInt64;
}

struct PhaseLimit {
  # The answer, or a Refusal.
  jobId @0 :UInt64;
  steps @1 :UInt64;
}

struct PhaseProgress {
  # worker -> coordinator, control lane, no answer. Totals since the phase began, so a lost or
  # repeated one does no harm.
  jobId @0 :UInt64;
  phase @1 :UInt32;
  done @2 :Bool;
  progress @3 :WorkerProgress;
}

struct JobFailed {
  # any member -> coordinator, control lane: the job cannot go on.
  jobId @0 :UInt64;
  code @1 :UInt16;
  text @2 :Text;
  lost @3 :Data;              # uuid of the node whose link broke; empty when that is not why
}

struct EndJob {
  # coordinator -> shards, workers, data servers: forget the job. Idempotent, no answer.
  jobId @0 :UInt64;
}
