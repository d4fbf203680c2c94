#include "actors/mesh/frame.hpp"

#include "actors/mesh/body_pool.hpp"

#include <xxhash.h>

#include <algorithm>
#include <concepts>
#include <cstring>
#include <new>
#include <string>

namespace gradmesh::mesh {
namespace {

// Offsets of the fields in schema/link.capnp.
namespace at {
constexpr std::size_t magic = 0;
constexpr std::size_t protocol = 4;
constexpr std::size_t kind = 6;
constexpr std::size_t lane = 8;
constexpr std::size_t priority = 9;
constexpr std::size_t metadata_bytes = 16;
constexpr std::size_t body_bytes = 24;
constexpr std::size_t from_uuid = 32;
constexpr std::size_t from_incarnation = 48;
constexpr std::size_t view_epoch = 56;
constexpr std::size_t message_id = 64;
constexpr std::size_t in_reply_to = 72;
constexpr std::size_t to_service = 80;
constexpr std::size_t from_service = 84;
constexpr std::size_t checksum = 88;
} // namespace at

constexpr std::size_t body_alignment = 64;

using header_bytes = std::array<std::byte, frame_header_bytes>;

template <std::unsigned_integral T>
void put(header_bytes& out, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

template <std::unsigned_integral T>
T get(std::span<const std::byte, frame_header_bytes> in, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= std::to_integer<std::uint64_t>(in[offset + i]) << (8 * i);
  return static_cast<T>(value);
}

std::uint64_t sum(std::span<const std::byte, frame_header_bytes> header,
                  std::span<const std::uint64_t> metadata) {
  // Most frames are small, and for them one copy is cheaper than the set-up of a streaming hash.
  std::array<std::byte, 1024> together;
  if (at::checksum + metadata.size_bytes() <= together.size()) {
    std::memcpy(together.data(), header.data(), at::checksum);
    if (!metadata.empty())
      std::memcpy(together.data() + at::checksum, metadata.data(), metadata.size_bytes());
    return XXH3_64bits(together.data(), at::checksum + metadata.size_bytes());
  }
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), header.data(), at::checksum);
  XXH3_64bits_update(state.get(), metadata.data(), metadata.size_bytes());
  return XXH3_64bits_digest(state.get());
}

error too_long(const char* what, std::uint64_t bytes, std::uint64_t limit) {
  return {errc::limit_exceeded, std::string("frame with ") + what + " of " + std::to_string(bytes) +
                                    " bytes; at most " + std::to_string(limit) + " are allowed"};
}

result<void> check_limits(const frame_header& h) {
  if (h.metadata_bytes % sizeof(std::uint64_t) != 0)
    return {errc::malformed_message, "frame with metadata of " + std::to_string(h.metadata_bytes) +
                                         " bytes, which is not a multiple of 8"};
  if (h.metadata_bytes > metadata_bytes_max)
    return too_long("metadata", h.metadata_bytes, metadata_bytes_max);
  if (h.body_bytes > body_bytes_max) return too_long("a body", h.body_bytes, body_bytes_max);
  return {};
}

} // namespace

writable_body allocate_body(std::size_t bytes) {
  if (bytes == 0) return {};
  if (bytes >= pooled_body_bytes_min) {
    auto memory = take_pooled(bytes);
    auto* start = static_cast<std::byte*>(memory.get());
    return {std::move(memory), {start, bytes}};
  }
  // One allocation for the bytes and their reference count.
  const std::shared_ptr<std::byte[]> memory =
      std::make_shared_for_overwrite<std::byte[]>(bytes + body_alignment);
  void* start = memory.get();
  auto room = bytes + body_alignment;
  auto* aligned = static_cast<std::byte*>(std::align(body_alignment, bytes, start, room));
  return {std::shared_ptr<void>(memory, aligned), {aligned, bytes}};
}

frame_body to_keep(const frame_body& body) {
  if (body.allocated) return body;
  const auto copy = allocate_body(body.bytes.size());
  std::ranges::copy(body.bytes, copy.bytes.begin());
  return copy.share();
}

result<void> check_lengths(const frame& f) {
  if (f.header.metadata_bytes != f.metadata.size() * sizeof(std::uint64_t) ||
      f.header.body_bytes != f.body.bytes.size())
    return {errc::invalid_argument,
            "frame whose header says " + std::to_string(f.header.metadata_bytes) +
                " bytes of metadata and " + std::to_string(f.header.body_bytes) +
                " of body, but it has " +
                std::to_string(f.metadata.size() * sizeof(std::uint64_t)) + " and " +
                std::to_string(f.body.bytes.size())};
  return check_limits(f.header);
}

header_bytes encode_header(const frame& f) {
  const auto& h = f.header;
  header_bytes out{};
  put(out, at::magic, frame_magic);
  put(out, at::protocol, h.protocol);
  put(out, at::kind, h.kind);
  put(out, at::lane, static_cast<std::uint8_t>(h.lane));
  put(out, at::priority, h.priority);
  put(out, at::metadata_bytes, h.metadata_bytes);
  put(out, at::body_bytes, h.body_bytes);
  std::memcpy(out.data() + at::from_uuid, h.from.uuid.data(), h.from.uuid.size());
  put(out, at::from_incarnation, h.from.incarnation);
  put(out, at::view_epoch, h.view_epoch);
  put(out, at::message_id, h.message_id);
  put(out, at::in_reply_to, h.in_reply_to);
  put(out, at::to_service, h.to_service.to_wire());
  put(out, at::from_service, h.from_service.to_wire());
  put(out, at::checksum, sum(out, f.metadata));
  return out;
}

result<void> check_magic(std::span<const std::byte> start) {
  for (std::size_t i = 0; i < std::min(start.size(), sizeof(frame_magic)); ++i)
    if (start[i] != static_cast<std::byte>(frame_magic >> (8 * i)))
      return {errc::malformed_message,
              "what came does not begin with GMSH: it is no Gradmesh frame"};
  return {};
}

result<decoded_header> decode_header(std::span<const std::byte, frame_header_bytes> bytes) {
  if (auto checked = check_magic(bytes); !checked) return checked.failure();
  const auto lane_number = get<std::uint8_t>(bytes, at::lane);
  if (lane_number >= lane_count)
    return {errc::malformed_message, "frame for lane " + std::to_string(lane_number) +
                                         "; there are 0 (control) and 1 (bulk)"};

  const auto priority = get<std::uint8_t>(bytes, at::priority);
  if (priority >= priority_count)
    return {errc::malformed_message, "frame with priority " + std::to_string(priority) +
                                         "; they go from 0 to " + std::to_string(priority_max)};

  decoded_header decoded;
  auto& h = decoded.header;
  h.protocol = get<std::uint16_t>(bytes, at::protocol);
  h.kind = get<std::uint16_t>(bytes, at::kind);
  h.lane = static_cast<lane>(lane_number);
  h.priority = priority;
  h.metadata_bytes = get<std::uint32_t>(bytes, at::metadata_bytes);
  h.body_bytes = get<std::uint64_t>(bytes, at::body_bytes);
  std::memcpy(h.from.uuid.data(), bytes.data() + at::from_uuid, h.from.uuid.size());
  h.from.incarnation = get<std::uint64_t>(bytes, at::from_incarnation);
  h.view_epoch = get<std::uint64_t>(bytes, at::view_epoch);
  h.message_id = get<std::uint64_t>(bytes, at::message_id);
  h.in_reply_to = get<std::uint64_t>(bytes, at::in_reply_to);
  h.to_service = service_id::from_wire(get<std::uint32_t>(bytes, at::to_service));
  h.from_service = service_id::from_wire(get<std::uint32_t>(bytes, at::from_service));
  decoded.checksum = get<std::uint64_t>(bytes, at::checksum);
  if (auto checked = check_limits(h); !checked) return checked.failure();
  return decoded;
}

bool checksum_matches(std::span<const std::byte, frame_header_bytes> header_bytes,
                      std::span<const std::uint64_t> metadata) {
  return get<std::uint64_t>(header_bytes, at::checksum) == sum(header_bytes, metadata);
}

} // namespace gradmesh::mesh
