@0xbfa022b1229ab117;
# What a frame can carry: the number of every message, and the numbers of services.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

enum MessageKind {
  # Ordinals are wire values: never renumber, only append.
  none @0;              # never sent
  # link.capnp
  hello @1;
  welcome @2;
  refuse @3;
  # common
  refusal @4;
  # cluster.capnp
  register @5;
  registered @6;
  heartbeat @7;
  view @8;
  statusRequest @9;
  status @10;
  shutdown @11;
  # job.capnp
  submitJob @12;
  jobAccepted @13;
  jobUpdate @14;
  cancelJob @15;
  jobPlan @16;
  planReady @17;
  startPhase @18;
  phaseProgress @19;
  jobFailed @20;
  endJob @21;
  # data.capnp
  loadData @22;
  dataLoaded @23;
  leaseBatch @24;
  batch @25;
  # parameters.capnp
  pull @26;
  pulled @27;
  push @28;
  pushed @29;
  exportPartition @30;
  partitionContent @31;
  # link.capnp
  credit @32;           # links use it among themselves, actors never see it
  # job.capnp
  changeJob @33;
  jobChanged @34;
  limitPhase @35;
  phaseLimit @36;
  layout @37;
  layoutTaken @38;
  # replication.capnp
  replicate @39;
  replicated @40;
  snapshotChunk @41;
  snapshotTaken @42;
  backupReport @43;
  # cluster.capnp
  drainNode @44;
  drainStarted @45;
  # checkpointing.capnp
  createCheckpoint @46;
  checkpointCreated @47;
  checkpointStage @48;
  pushesHeld @49;
  checkpointChunk @50;
  checkpointTaken @51;
  restoreChunk @52;
}

enum ServiceKind {
  # A service number is kind * 65536 + index, so that a node can offer several of a kind.
  none @0;
  node @1;              # the node's own supervisor; index 0
  coordinator @2;       # index 0
  serverShard @3;
  worker @4;
  dataServer @5;
  client @6;            # a command line that follows a job
  localData @7;         # a data server that serves the worker of its own node only
}

struct Refusal {
  # The answer to any request that is not carried out. Idempotent requests may be sent again.
  code @0 :UInt16;      # an errc (actors/error.hpp)
  text @1 :Text;        # what failed, with which values, why, what to do next
}
