#pragma once

/// The unit that links carry: header, Cap'n Proto metadata, raw tensor body. The layout on the wire
/// is specified in schema/link.capnp; this file is its C++ form.
///
/// A frame is immutable once built and shared by reference: between actors of one node, in the
/// queues of links, and (in-memory network) between nodes of one process. Thread-safe to read.

#include "actors/error.hpp"
#include "actors/mesh/identity.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradmesh::mesh {

inline constexpr std::uint32_t frame_magic = 0x48534d47;
inline constexpr std::uint16_t protocol_version = 1;
inline constexpr std::size_t frame_header_bytes = 96;
inline constexpr std::uint64_t metadata_bytes_max = 16u << 20;
inline constexpr std::uint64_t body_bytes_max = 1u << 30;

enum class lane : std::uint8_t { control = 0, bulk = 1 };
inline constexpr std::size_t lane_count = 2;

/// Among the frames that wait for a lane those with the smallest number go first.
inline constexpr std::size_t priority_count = 8;
inline constexpr std::uint8_t priority_max = priority_count - 1;
/// The priority of the block that stands at `place` among `count`: 0 is left to what is small, and
/// the front of a model goes first, since it is needed first.
inline std::uint8_t tensor_priority(std::size_t place, std::size_t count) {
  return static_cast<std::uint8_t>(1 + place * priority_max / std::max<std::size_t>(1, count));
}

struct frame_header {
  std::uint16_t protocol = protocol_version;
  std::uint16_t kind = 0; // ordinal of schema::MessageKind
  mesh::lane lane = lane::control;
  std::uint8_t priority = 0; // below priority_count
  std::uint32_t metadata_bytes = 0;
  std::uint64_t body_bytes = 0;
  node_identity from;
  std::uint64_t view_epoch = 0;
  std::uint64_t message_id = 0;
  std::uint64_t in_reply_to = 0;
  service_id to_service;
  service_id from_service;

  bool operator==(const frame_header&) const = default;
};

/// Raw tensor bytes and whoever keeps them alive. The memory is 8-byte aligned at least, 64-byte
/// aligned when it was received or made by `allocate_body`.
struct frame_body {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
  /// The memory is for these bytes alone (allocate_body). Otherwise it is lent, by a link that
  /// needs it back or by a neighbour in the process.
  bool allocated = false;
};

/// Fresh, uninitialised memory for a body; 64-byte aligned.
struct writable_body {
  std::shared_ptr<void> owner;
  std::span<std::byte> bytes;

  frame_body share() const { return {owner, bytes, true}; }
  /// The bytes [offset, offset + count * sizeof(T)) as T; offset must be a multiple of alignof(T).
  template <class T>
  std::span<T> as(std::size_t offset, std::size_t count) const {
    return {reinterpret_cast<T*>(bytes.data() + offset), count};
  }
};
writable_body allocate_body(std::size_t bytes);

/// The same bytes in memory that may be kept for long: a copy if they are in lent memory.
frame_body to_keep(const frame_body& body);

/// A received frame's claim on the bytes that its receiver granted to the sender. Settled when an
/// actor has dealt with the frame, or with the frame's end: then the sender may send as much again.
class receipt {
public:
  virtual ~receipt() = default;
  /// Any thread; only the first call counts.
  virtual void settle() = 0;
};

struct frame {
  frame_header header;
  /// A flat Cap'n Proto message; header.metadata_bytes / 8 words.
  std::vector<std::uint64_t> metadata;
  frame_body body;
  /// Set by the link before anybody else sees the frame; empty where nobody counts.
  mutable std::shared_ptr<receipt> claim;

  void settle() const {
    if (claim) claim->settle();
  }

  std::size_t wire_bytes() const {
    return frame_header_bytes + metadata.size() * sizeof(std::uint64_t) + body.bytes.size();
  }
};
using frame_ptr = std::shared_ptr<const frame>;

/// Whether the lengths in the header are those of the parts and within the limits, so that the
/// frame may go on a wire. Errors: `invalid_argument`, `malformed_message`, `limit_exceeded`.
result<void> check_lengths(const frame& f);

/// The header as it stands on the wire, with the checksum over header and metadata.
std::array<std::byte, frame_header_bytes> encode_header(const frame& f);

/// Whether a stream that begins with these bytes may be one of frames; fewer than four will do.
/// Errors: `malformed_message`.
result<void> check_magic(std::span<const std::byte> start);

/// Header fields from the wire, before metadata and body have come in. Checks magic, lane and
/// lengths, so that the caller may allocate what they say; the protocol version is checked by the
/// handshake. Errors: `malformed_message` (magic, lane), `limit_exceeded` (lengths).
struct decoded_header {
  frame_header header;
  std::uint64_t checksum = 0;
};
result<decoded_header> decode_header(std::span<const std::byte, frame_header_bytes> bytes);

/// Whether header and metadata are the ones that the sender summed.
bool checksum_matches(std::span<const std::byte, frame_header_bytes> header_bytes,
                      std::span<const std::uint64_t> metadata);

} // namespace gradmesh::mesh
