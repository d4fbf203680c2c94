@0xe173afebb097150e;
# The coordinator's log: what it has to know after its death, as a file `jobs.log` in its node's
# state folder.
#
#   8 bytes   "GMJOBLOG"
#   UInt32    format version
#   UInt32    low half of XXH3-64 of the 12 bytes before
#   records   one after another, without gaps
#
# A record (all integers little-endian):
#
#   UInt32    length of the body in bytes, a multiple of 8
#   UInt32    low half of XXH3-64 of the 4 bytes before
#   body      version 1: one JobRecord in Cap'n Proto's standard framing
#   UInt64    XXH3-64 of all of the record before this, its highest bit set
#
# Each record says all that there is to know, so the last one counts and the others are history. It
# is on the medium before the coordinator acts on it: before it sends what others may remember. One
# is on its way at a time, so a crash leaves at most the last one incomplete: it ends early, or in
# zeros, which its last byte never is. That one was never acted on and is dropped. Whatever else
# does not fit is damage, and the file is refused: a coordinator that had forgotten what it said
# could say something else.
#
# Each start of the coordinator and of a job writes the file anew, with the last record alone
# (another file, synced, renamed, folder synced). So what was read at a start is on the medium, even
# where it was read from memory after a sync that failed.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");
using Job = import "job.capnp";

struct JobRecord {
  # The coordinator's latest job. Jobs are numbered from 1 in the life of a log, so the number of
  # the next one follows from it.
  plan @0 :Job.JobPlan;         # `begun`: as it was published last, with the layout published last.
                                # Otherwise nothing but jobId, revision and the layout's number
                                # count: what was published under them came to nothing.
  request @1 :Job.SubmitJob;
  client @2 :Data;              # 16 bytes: the node that submitted it
  clientService @3 :UInt32;

  phase @4 :Job.JobPhase;
  begun @5 :Bool;               # members have acted on the plan: shards hold parameters
  resume @6 :Job.JobPhase;      # where preparing leads to, once begun
  phaseNumber @7 :UInt32;       # of the latest StartPhase
  members @8 :List(KnownMember); # of the plan, those that are there
  draining @9 :List(Data);      # nodes that are to leave the job

  # Of the data, as the data servers said.
  trainExamples @10 :UInt64;
  testExamples @11 :UInt64;
  classNames @12 :List(Text);
  source @13 :Text;

  change :union {
    none @14 :Void;
    asked @15 :Void;            # data servers may hold back what lies beyond an epoch
    agreed @16 :AgreedChange;
  }
  end @17 :Job.JobUpdate;       # when it has ended: the last word
  introduced @18 :List(Job.Place); # server shards that were sent the plan before this record
}

struct KnownMember {
  uuid @0 :Data;                # 16 bytes
  incarnation @1 :UInt64;       # another one has nothing of the job
}

struct AgreedChange {
  # The job goes on with other options from a step on; whoever asked was told so.
  config @0 :Text;
  step @1 :UInt64;
}
