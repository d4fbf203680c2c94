@0xb1f7a3c25e9d6048;
# Checkpoints: all that a job needs to go on, as files.
#
# A checkpoint is a folder JOB/NNNNNN (its number, decimal, six digits or more) with
#
#   shard-SSSSS.chunks  contents that are new in this checkpoint, as they came from shard SSSSS; not
#                       there if nothing was new
#   manifest            what the checkpoint consists of; written last
#
# Order of writing: folder, files of chunks (each synced, with its name), manifest (written to
# another name, synced, renamed, folder synced). So a folder without a manifest is no checkpoint: it
# was never finished, or it stays for its chunks only, which later checkpoints refer to.
#
# The content of a shard comes as *chunks*: (shard, id, kind, bytes). The store does not look into
# them. A chunk whose length and XXH3-128 are those of a chunk of the checkpoint before is not
# written again: the manifest names the older checkpoint's file. A manifest never leads to another
# manifest, so deleting one makes no other useless.
#
# A manifest (all integers little-endian):
#
#   8 bytes   "GMCHECKP"
#   UInt64    format version
#   UInt64    length of the body in bytes, a multiple of 8
#   body      version 1: one CheckpointManifest in Cap'n Proto's standard framing
#   2 UInt64  XXH3-128 of everything before it, the low half first
#
# That frame is the same in all versions: a newer format is told from damage.
#
# A file of chunks:
#
#   8 bytes   "GMCHUNKS"
#   UInt64    format version
#   UInt64    number of the checkpoint
#   UInt32    shard
#   UInt32    0
#   UInt64    XXH3-64 of the 32 bytes before
#   chunks    one after another, without gaps; where each begins stands in the manifest
#
# A reader refuses: a frame or header that is not as above, another length of a file than the
# manifest says, another checksum of a chunk, and every manifest that breaks a rule below.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct CheckpointManifest {
  number @0 :UInt64;            # of the checkpoint, from 1; the folder's
  createdBy @1 :Text;           # program and version, e.g. "gradmesh 0.1.0"
  createdUnixMs @2 :Int64;      # when it was finished; for people
  jobName @3 :Text;
  jobId @4 :UInt64;

  # Which model it is of: a checkpoint is of use to no other.
  config @5 :Text;              # the options that make the model and its training, in the words of
                                # the job file
  layout @6 :import "model.capnp".ModelHeader.Layout;
  features @7 :UInt32;          # width of an example
  classes @8 :UInt32;
  tables @9 :List(import "model.capnp".ModelHeader.Table); # in declaration order; rows is 0

  # How far the job is.
  step @10 :UInt64;             # steps that are wholly in it
  steps @11 :UInt64;            # steps of the job
  progress @12 :Data;           # the coordinator's; the store does not look into it

  shards @13 :List(Shard);      # by number
  files @14 :List(File);        # ascending by (checkpoint, shard); each holds a chunk of this one

  struct Shard {
    chunks @0 :List(Chunk);     # ascending by id, each id once
  }

  struct Chunk {
    id @0 :UInt64;              # given by the shard
    kind @1 :UInt32;            # the same
    file @2 :UInt32;            # index in `files`
    offset @3 :UInt64;          # in the file, behind its header
    bytes @4 :UInt64;
    checksumLow @5 :UInt64;     # XXH3-128 of the bytes
    checksumHigh @6 :UInt64;
  }

  struct File {
    checkpoint @0 :UInt64;      # which it was written for: this number or a lower one
    shard @1 :UInt32;           # which it was written by
    bytes @2 :UInt64;           # its whole length
  }
}
