@0x8b8a7dcaeb26f90e;
# Membership: how a node joins the mesh, how the mesh is seen, how a node is told to stop.
#
# A node dials the coordinator, sends Register, and from Registered on sends a Heartbeat every
# `heartbeatMs`. The coordinator publishes a View to every member whenever membership changes; views
# are numbered by *epoch*, growing by one, and a receiver ignores any epoch that is not higher than
# the one it has. A node that gives no sign of life for the coordinator's node timeout is no longer a
# member, nor is one whose link breaks and that does not register again, in the same life, within
# `heartbeatMs`. One that does is sent the View, and what it was asked last, again.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct Register {
  # node -> coordinator, control lane. Idempotent. Answer: Registered or Refusal.
  name @0 :Text;
  roles @1 :List(Text);       # "coordinator", "server", "worker", "data-server"
  endpoint @2 :Text;          # HOST:PORT where the node listens; empty when it does not
  services @3 :List(UInt32);  # what it offers; see ServiceKind
  processId @4 :UInt64;
  version @5 :Text;           # of the software, for people
}

struct Registered {
  # coordinator -> node, the answer to Register, which the View follows, and to each Heartbeat.
  heartbeatMs @0 :UInt32;
  nodeTimeoutMs @1 :UInt32;   # silence after which the coordinator gives the node up
}

struct Gauge {
  # One number about a service. Names are stable and carry their unit: "pushes_total",
  # "queued_bytes".
  name @0 :Text;
  value @1 :Float64;
}

struct ServiceStatus {
  service @0 :UInt32;
  state @1 :Text;             # one word: "idle", "loading", "training", ...
  gauges @2 :List(Gauge);
}

struct Heartbeat {
  # node -> coordinator, control lane, in reply to the latest Registered. It is a sign of life if
  # there was a new one since the Heartbeat before: a node that cannot hear the coordinator (a link
  # that works in one direction) is of no use, although it speaks. Answer: Registered, or Refusal to
  # a node that is no member (any more) and has to register.
  residentBytes @0 :UInt64;   # memory of the process
  cpuSeconds @1 :Float64;     # processor time of the process since it started
  services @2 :List(ServiceStatus);
  gauges @3 :List(Gauge);     # of the node itself: links, queues
}

struct Member {
  uuid @0 :Data;              # 16 bytes
  incarnation @1 :UInt64;
  name @2 :Text;
  roles @3 :List(Text);
  endpoint @4 :Text;
  services @5 :List(UInt32);
}

struct View {
  # coordinator -> every member, control lane, no answer.
  epoch @0 :UInt64;
  members @1 :List(Member);
}

struct StatusRequest {
  # anybody -> coordinator, control lane. Answer: Status.
}

struct MemberStatus {
  member @0 :Member;
  heartbeatAgeMs @1 :UInt64;
  lastHeartbeat @2 :Heartbeat;
  processId @3 :UInt64;
  version @4 :Text;
  draining @5 :Bool;
}

struct Status {
  epoch @0 :UInt64;
  uptimeMs @1 :UInt64;        # of the coordinator
  members @2 :List(MemberStatus);
  job @3 :import "job.capnp".JobUpdate;  # the latest job; phase "none" before the first
}

struct DrainNode {
  # client -> coordinator, control lane. Answer: DrainStarted or Refusal (no such node, the last of its
  # kind). The node stays a member, but nothing of a job is placed on it any more: its replicas move
  # to other servers, then its workers and data servers leave the job. Idempotent.
  node @0 :Text;              # name
}

struct DrainStarted {
  replicas @0 :UInt32;        # that have to move
}

struct Shutdown {
  # coordinator -> node, or a client -> coordinator (which passes it on to all), control lane.
  reason @0 :Text;
}
