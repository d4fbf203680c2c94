@0xc4749ddeaf4ad6c7;
# The link between two nodes: frames, lanes, and the handshake.
#
# Vocabulary
# ----------
# node       A process (or, in tests, a part of one) that hosts actors. Known by its *identity*.
# identity   (uuid, incarnation). The uuid is drawn once for a node; the incarnation grows with each
#            start, so a restarted node is never taken for the one that died.
# service    One actor that a node offers to others, known by a number (see Service below).
# lane       One of two separate connections between the same two nodes. *control* carries small
#            frames that must never wait (heartbeats, views, job control); *bulk* carries everything
#            with a tensor body, and the acknowledgements of it.
# dialer     The side that opened the connection; the other is the *listener*.
#
# Frame
# -----
# What travels on a lane is a sequence of frames. All numbers are little-endian.
#
#   offset  bytes  field
#        0      4  magic            0x48534d47 ("GMSH")
#        4      2  protocol         version of this specification that the sender speaks; now 1
#        6      2  kind             what the metadata is: an ordinal of MessageKind (message.capnp)
#        8      1  lane             0 control, 1 bulk
#        9      1  priority         0 to 7; of the frames that wait for a lane, the smaller go first
#       10      6  reserved         zero when sent; a receiver ignores them
#       16      4  metadata bytes   length of the metadata; a multiple of 8, at most 16 MiB
#       20      4  reserved         zero when sent
#       24      8  body bytes       length of the body; at most 1 GiB
#       32     16  from uuid        identity of the sender
#       48      8  from incarnation
#       56      8  view epoch       the view that the sender acts on; 0 before it knows one
#       64      8  message id       unique for the sender and its incarnation, never 0
#       72      8  in reply to      message id of the request that this frame answers, or 0
#       80      4  to service       who in the receiving node gets it
#       84      4  from service     who sent it, and gets the reply
#       88      8  checksum         XXH3-64 over header bytes 0..87 followed by the metadata
#       96         metadata         one Cap'n Proto message in flat (segment table first) form
#                  body             raw tensor bytes, described by the metadata
#
# The body is not part of the checksum: TCP's own checksum (and TLS, later) guards it, and a second
# pass over every tensor would cost more than it finds.
#
# Order: frames of one priority on one lane arrive in the order in which they were sent, or the
# connection is gone. Nothing is promised between priorities and between lanes. A connection that breaks takes the frames in flight with it; the
# sender learns of that as "peer down".
#
# A frame with a wrong magic, a length over its limit, an unknown kind or a wrong checksum ends the
# connection: the stream cannot be trusted past it. Metadata that does not decode, or decodes to
# values that make no sense, is refused with a Refusal and the connection lives.
#
# Credit
# ------
# A receiver bounds what it has to hold: for each lane it grants a window of bytes (whole frames,
# header included). A frame occupies the window until an actor has dealt with it. The receiver says in
# Credit frames (control lane) how many bytes have been freed since the link came up; a sender sends a
# frame only if all that it sent minus all that was freed stays within the window with it, or if
# nothing is outstanding. Credit frames occupy nothing. A sender that breaks the rule is disconnected.
# What may not be sent yet waits at the sender; a request that finds this queue full is answered with
# the error retry_later.
#
# Handshake
# ---------
# 0. With TLS: version 1.3, certificates of the mesh's own CA on both sides. Node name, cluster and
#    the roles that a node may have are those of its certificate.
# 1. The dialer sends Hello, for the control lane first, then for the bulk lane.
# 2. The listener answers Welcome, or Refuse and closes.
# 3. Either side sends any frame. A frame before that ends the connection.
#
# Shared memory: the bulk lane of two nodes of one user on one host can be opened on the local socket
# that the Welcome names. There the handshake is the same and unencrypted; after the Welcome the
# dialer sends one byte with the descriptor of the memory that both map from then on
# (actors/env/network/shared_memory/), the listener answers with one byte, and the socket carries
# nothing but wake-ups after that. If that fails the
# dialer takes the usual way.
#
# Roles: every message has roles of which its sender must have one (actors/env/network/role_rules.cpp). The
# link refuses others before an actor sees them.
# A Hello is sent in the lowest version that the dialer speaks; the version in its frame header counts.
# A side that does not finish the handshake within 5 seconds is dropped. A Hello is at most 64 KiB.

$import "/capnp/c++.capnp".namespace("gradmesh::schema");

struct Hello {
  # First frame of the dialer on each lane.
  protocolMin @0 :UInt16;   # lowest protocol version that the dialer speaks
  protocolMax @1 :UInt16;   # highest
  cluster @2 :Text;         # name of the mesh; must be equal on both sides, at most 255 bytes
  nodeName @3 :Text;        # for people: logs and status; at most 255 bytes
  roles @4 :Text;           # what the node is, e.g. "server,worker"; see actors/mesh/roles.hpp
  host @5 :Text;            # names the machine, so that two nodes on one notice; empty: no matter
  ticket @6 :Data;          # on a local socket: what the Welcome gave for it
  # Identity stands in the frame header.
}

struct Welcome {
  # The listener's answer to a Hello that it accepts.
  protocol @0 :UInt16;      # the version that both sides speak from here on
  nodeName @1 :Text;
  roles @2 :Text;
  localSocket @3 :Text;     # on the control lane, for a dialer on the same host: an abstract Unix
                            # socket where the bulk lane can be opened instead, and
  ticket @4 :Data;          # 16 random bytes that show there who dialled here
}

struct Refuse {
  # The listener's answer to a Hello that it does not accept; it closes the connection after it.
  code @0 :UInt16;          # an errc (actors/error.hpp)
  text @1 :Text;            # what was wrong, with both sides' values
}

struct Credit {
  # Either side, any time after the handshake, on the control lane; first of all when the link is up.
  lane @0 :UInt8;           # that the credit is for
  freedBytes @1 :UInt64;    # of the bytes that came on the lane since the link is up
  windowBytes @2 :UInt64;   # how many may be outstanding; the same for the life of the link
}
