#include "actors/mesh/frame.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>

using namespace gradmesh;
using namespace gradmesh::mesh;

namespace {

using header_bytes = std::array<std::byte, frame_header_bytes>;

frame random_frame(std::mt19937_64& random) {
  frame f;
  f.metadata.resize(random() % 300);
  for (auto& word : f.metadata)
    word = random();
  auto& h = f.header;
  h.protocol = static_cast<std::uint16_t>(random());
  h.kind = static_cast<std::uint16_t>(random());
  h.lane = static_cast<lane>(random() % lane_count);
  h.metadata_bytes = static_cast<std::uint32_t>(f.metadata.size() * 8);
  h.body_bytes = random() % (body_bytes_max + 1);
  for (auto& b : h.from.uuid)
    b = static_cast<std::uint8_t>(random());
  h.from.incarnation = random();
  h.view_epoch = random();
  h.message_id = random();
  h.in_reply_to = random();
  h.to_service = service_id::from_wire(static_cast<std::uint32_t>(random()));
  h.from_service = service_id::from_wire(static_cast<std::uint32_t>(random()));
  return f;
}

bool is_accepted(const header_bytes& wire, const std::vector<std::uint64_t>& metadata) {
  return decode_header(wire) && checksum_matches(wire, metadata);
}

header_bytes from_hex(std::string_view hex) {
  header_bytes out{};
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(digit(hex[2 * i]) * 16 + digit(hex[2 * i + 1]));
  return out;
}

/// Every field different, so that an exchange of two would show.
frame sample_frame() {
  frame f;
  f.metadata = {0x0000000100000000, 0x0123456789abcdef};
  auto& h = f.header;
  h.protocol = 1;
  h.kind = 28;
  h.lane = lane::bulk;
  h.metadata_bytes = 16;
  h.body_bytes = 0x12345;
  for (std::size_t i = 0; i < h.from.uuid.size(); ++i)
    h.from.uuid[i] = static_cast<std::uint8_t>(0xa0 + i);
  h.from.incarnation = 0x0102030405060708;
  h.view_epoch = 0x1112131415161718;
  h.message_id = 0x2122232425262728;
  h.in_reply_to = 0x3132333435363738;
  h.to_service = {service_kind::server_shard, 2};
  h.from_service = {service_kind::worker, 513};
  return f;
}

/// The sample as protocol version 1 wrote it. This text never changes.
constexpr std::string_view frozen_header =
    "474d534801001c00010000000000000010000000000000004523010000000000"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf08070605040302011817161514131211"
    "28272625242322213837363534333231020003000102040026806ae8ca09db6b";

} // namespace

TEST_CASE("a header comes out of the codec as it went in") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    const auto f = random_frame(random);
    const auto wire = encode_header(f);
    const auto decoded = decode_header(wire);
    REQUIRE(decoded);
    CHECK(decoded->header == f.header);
    CHECK(checksum_matches(wire, f.metadata));
  }
}

TEST_CASE("the bytes of version 1 are frozen") {
  const auto f = sample_frame();
  const auto frozen = from_hex(frozen_header);
  CHECK(encode_header(f) == frozen);
  const auto decoded = decode_header(frozen);
  REQUIRE(decoded);
  CHECK(decoded->header == f.header);
  CHECK(checksum_matches(frozen, f.metadata));
}

TEST_CASE("any changed bit of header or metadata is refused") {
  auto f = sample_frame();
  const auto wire = encode_header(f);
  REQUIRE(is_accepted(wire, f.metadata));
  for (std::size_t bit = 0; bit < 8 * wire.size(); ++bit) {
    auto changed = wire;
    changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    CAPTURE(bit);
    CHECK_FALSE(is_accepted(changed, f.metadata));
  }
  for (std::size_t bit = 0; bit < 64 * f.metadata.size(); ++bit) {
    auto changed = f.metadata;
    changed[bit / 64] ^= std::uint64_t{1} << bit % 64;
    CAPTURE(bit);
    CHECK_FALSE(checksum_matches(wire, changed));
  }
}

TEST_CASE("long metadata is summed over its whole length") {
  std::mt19937_64 random(7);
  auto f = sample_frame();
  for (const std::size_t words : {116u, 117u, 118u, 5'000u}) { // around the end of the short path
    CAPTURE(words);
    f.metadata.assign(words, 0);
    for (auto& word : f.metadata)
      word = random();
    f.header.metadata_bytes = static_cast<std::uint32_t>(words * 8);
    const auto wire = encode_header(f);
    CHECK(checksum_matches(wire, f.metadata));
    f.metadata.back() ^= 1;
    CHECK_FALSE(checksum_matches(wire, f.metadata));
  }
}

TEST_CASE("lengths over their limits are refused before anybody allocates them") {
  const auto refusal = [](std::uint32_t metadata_bytes, std::uint64_t body_bytes) {
    auto f = sample_frame();
    f.header.metadata_bytes = metadata_bytes;
    f.header.body_bytes = body_bytes;
    const auto decoded = decode_header(encode_header(f));
    return decoded ? errc::none : decoded.failure().code;
  };
  CHECK(refusal(metadata_bytes_max, body_bytes_max) == errc::none);
  CHECK(refusal(metadata_bytes_max + 8, 0) == errc::limit_exceeded);
  CHECK(refusal(0xfffffff8, 0) == errc::limit_exceeded);
  CHECK(refusal(12, 0) == errc::malformed_message);
  CHECK(refusal(8, body_bytes_max + 1) == errc::limit_exceeded);
  CHECK(refusal(8, ~std::uint64_t{0}) == errc::limit_exceeded);
}

TEST_CASE("what does not begin with the magic number is told apart by its first bytes") {
  const auto begins = [](std::string_view text) {
    return static_cast<bool>(check_magic(std::as_bytes(std::span(text))));
  };
  CHECK(begins(""));
  CHECK(begins("GM"));
  CHECK(begins("GMSH and more"));
  CHECK_FALSE(begins("GET"));
  CHECK_FALSE(begins("gmsh"));
}

TEST_CASE("a frame whose header does not fit its parts may not be sent") {
  auto f = sample_frame();
  f.header.body_bytes = 0;
  CHECK(check_lengths(f));
  f.header.metadata_bytes = 8;
  CHECK(check_lengths(f).failure().code == errc::invalid_argument);
  f.header.metadata_bytes = 16;
  f.header.body_bytes = 1;
  CHECK(check_lengths(f).failure().code == errc::invalid_argument);
}

TEST_CASE("a body is aligned to 64 bytes whatever its size") {
  for (const std::size_t bytes : {1u, 7u, 63u, 64u, 65u, 1'000'001u}) {
    const auto body = allocate_body(bytes);
    CHECK(body.bytes.size() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(body.bytes.data()) % 64 == 0);
    std::memset(body.bytes.data(), 1, bytes);
    CHECK(body.share().owner == body.owner);
  }
  CHECK(allocate_body(0).bytes.empty());
}

TEST_CASE("bytes in lent memory are copied to be kept, those in memory of their own are not") {
  const auto own = allocate_body(100).share();
  CHECK(to_keep(own).bytes.data() == own.bytes.data());
  CHECK(to_keep(own).owner == own.owner);
  const auto lender = std::make_shared<std::array<std::byte, 100>>();
  lender->fill(std::byte{7});
  const auto kept = to_keep({lender, *lender});
  CHECK(lender.use_count() == 1);
  CHECK(kept.bytes.data() != lender->data());
  CHECK(std::ranges::equal(kept.bytes, *lender));
}

TEST_CASE("services have names for people and numbers for the wire") {
  CHECK(to_string(service_id{service_kind::coordinator, 0}) == "coordinator");
  CHECK(to_string(service_id{service_kind::server_shard, 0}) == "server-shard-0");
  CHECK(to_string(service_id::from_wire(0x00050002)) == "data-server-2");
  CHECK(to_string(service_id::from_wire(0x00630001)) == "service-kind-99-1");
  CHECK(service_id{service_kind::worker, 7}.to_wire() == 0x00040007);
  CHECK(short_name(node_uuid{0x3f, 0x2a, 0x90, 0xc1, 0xff}) == "3f2a90c1");
}

TEST_CASE("memory of a large body is used again, and never by two bodies at once") {
  const void* first = nullptr;
  {
    const auto body = allocate_body(1u << 20);
    first = body.bytes.data();
    std::memset(body.bytes.data(), 1, body.bytes.size());
    const auto other = allocate_body(1u << 20);
    CHECK(other.bytes.data() != first);
  }
  const auto again = allocate_body((1u << 20) - 100);
  const auto more = allocate_body((1u << 20) + 100);
  CHECK((again.bytes.data() == first || more.bytes.data() == first));
  CHECK(again.bytes.data() != more.bytes.data());
}

TEST_CASE("a body of any size has room for all of its bytes") {
  for (std::size_t power = 13; power <= 24; ++power)
    for (const int around : {-4'097, -1, 0, 1, 4'095, 4'096, 4'097}) {
      const auto bytes = (std::size_t{1} << power) + static_cast<std::size_t>(around);
      const auto body = allocate_body(bytes);
      REQUIRE(body.bytes.size() == bytes);
      std::memset(body.bytes.data(), 2, bytes); // the sanitizer sees a byte too many
    }
}
