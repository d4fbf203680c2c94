/// frame_reader over a stream in memory: whatever the bytes, and however they are cut into reads.

#include "tests/fuzz/target.hpp"

#include "actors/env/network/frame_reader.hpp"
#include "actors/env/network/handshake.hpp"
#include "actors/env/random.hpp"
#include "actors/mesh/frame.hpp"

#include <kj/async-io.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input.
/// Lengths and checksums are made right, so that what lies behind their checks is reached.
constexpr std::uint8_t option_repair = 1;
/// The first frame is read under the limits of a handshake.
constexpr std::uint8_t option_hello_first = 2;
/// Zeros follow the input: so many, by two bits.
constexpr unsigned tail_shift = 2;
constexpr std::array<std::size_t, 4> tail_bytes{0, 512, 20u << 10, 80u << 10};

/// A repaired frame's longest body. Beyond the reader's buffer, and cheap to allocate.
constexpr std::uint64_t repaired_body_bytes_max = 96u << 10;
constexpr std::uint32_t repaired_metadata_bytes_max = 64u << 10;

// Offsets of the fields in schema/link.capnp, written down once more: the target repairs frames
// without the code that it tests.
constexpr std::size_t at_metadata_bytes = 16;
constexpr std::size_t at_body_bytes = 24;
constexpr std::size_t at_checksum = 88;

template <class Number>
Number number_at(const std::string& wire, std::size_t at) {
  Number value;
  std::memcpy(&value, wire.data() + at, sizeof value);
  return value;
}

template <class Number>
void set_number(std::string& wire, std::size_t at, Number value) {
  std::memcpy(wire.data() + at, &value, sizeof value);
}

/// Gives each frame that the wire is found to hold a possible length of metadata and the right
/// checksum. Lengths over the limits stay: they are to be refused.
void repair(std::string& wire) {
  for (std::size_t at = 0; at + mesh::frame_header_bytes <= wire.size();) {
    auto metadata = number_at<std::uint32_t>(wire, at + at_metadata_bytes);
    auto body = number_at<std::uint64_t>(wire, at + at_body_bytes);
    if (metadata > mesh::metadata_bytes_max || body > mesh::body_bytes_max) return;
    metadata = metadata % (repaired_metadata_bytes_max + 8) / 8 * 8;
    body %= repaired_body_bytes_max;
    set_number(wire, at + at_metadata_bytes, metadata);
    set_number(wire, at + at_body_bytes, body);
    if (wire.size() - at - mesh::frame_header_bytes < metadata) return;
    std::string summed = wire.substr(at, at_checksum);
    summed.append(wire, at + mesh::frame_header_bytes, metadata);
    set_number<std::uint64_t>(wire, at + at_checksum, XXH3_64bits(summed.data(), summed.size()));
    at += mesh::frame_header_bytes + metadata + body;
  }
}

/// Hands out bytes in reads of drawn lengths, or as many at once as the reader takes.
class memory_stream final : public kj::AsyncInputStream {
public:
  memory_stream(std::string_view bytes, std::uint64_t seed) : rest_(bytes), random_(seed) {}

  kj::Promise<std::size_t> tryRead(void* to, std::size_t min, std::size_t max) override {
    promise(min <= max, "a reader asks for no more than it has room for");
    auto count = std::min(max, rest_.size());
    if (cut_ && count > min) count = min + random_.below(count - min + 1);
    std::memcpy(to, rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

  void cut_reads() { cut_ = true; }

private:
  std::string_view rest_;
  env::random_stream random_;
  bool cut_ = false;
};

struct outcome {
  std::vector<mesh::frame_ptr> frames;
  error why;
};

outcome read(memory_stream& stream, bool hello_first) {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  env::frame_reader reader(stream);
  outcome read;
  if (hello_first) {
    auto first = reader.read_one({env::hello_bytes_max, 0}).wait(scope);
    if (!first) return {{}, first.failure()};
    promise((*first)->body.bytes.empty() && (*first)->header.metadata_bytes <= env::hello_bytes_max,
            "the first frame of a connection is within the limits of a Hello");
    read.frames.push_back(*std::move(first));
  }
  read.why = reader
                 .read_all([&](mesh::frame_ptr f) {
                   read.frames.push_back(std::move(f));
                   return error{};
                 })
                 .wait(scope);
  return read;
}

/// Every frame is what stands on the wire.
void check_frames(const std::vector<mesh::frame_ptr>& frames, std::string_view wire) {
  for (const auto& f : frames) {
    promise(static_cast<bool>(mesh::check_lengths(*f)), "a frame fits its header and the limits");
    promise(f->wire_bytes() <= wire.size(), "no frame is longer than what came");
    const auto bytes = std::as_bytes(std::span(wire.data(), f->wire_bytes()));
    const auto header = bytes.first<mesh::frame_header_bytes>();
    const auto decoded = mesh::decode_header(header);
    promise(decoded && decoded->header == f->header, "a frame has the header that came");
    promise(mesh::checksum_matches(header, f->metadata), "a frame has the checksum that came");
    promise(std::ranges::equal(std::as_bytes(std::span(f->metadata)),
                               bytes.subspan(header.size(), f->header.metadata_bytes)),
            "a frame has the metadata that came");
    promise(std::ranges::equal(f->body.bytes, bytes.last(f->body.bytes.size())),
            "a frame has the body that came");
    wire.remove_prefix(f->wire_bytes());
  }
}

bool same(const outcome& a, const outcome& b) {
  return a.why == b.why && std::ranges::equal(a.frames, b.frames, [](auto& x, auto& y) {
           return x->header == y->header;
         });
}

std::string encode(const mesh::frame& f) {
  const auto header = mesh::encode_header(f);
  std::string wire(reinterpret_cast<const char*>(header.data()), header.size());
  wire.append(reinterpret_cast<const char*>(f.metadata.data()), f.header.metadata_bytes);
  wire.append(reinterpret_cast<const char*>(f.body.bytes.data()), f.body.bytes.size());
  return wire;
}

std::string frame_of(std::size_t metadata_words, std::size_t body_bytes) {
  mesh::frame f;
  f.metadata.assign(metadata_words, 0x0123456789abcdef);
  const auto body = mesh::allocate_body(body_bytes);
  std::ranges::fill(body.bytes, std::byte{7});
  f.body = body.share();
  f.header.kind = 28;
  f.header.lane = mesh::lane::bulk;
  f.header.metadata_bytes = static_cast<std::uint32_t>(metadata_words * 8);
  f.header.body_bytes = body_bytes;
  f.header.from = {{1, 2, 3}, 4};
  f.header.message_id = 5;
  return encode(f);
}

} // namespace

std::vector<std::string> seeds() {
  const env::greeting own{{{9}, 1}, {}, "gradmesh", "node", {}, {}};
  const auto hello = encode(*env::make_hello(own, mesh::lane::control));
  const auto option = [](unsigned bits) {
    return std::string(1, static_cast<char>(bits)) + '\x2a';
  };
  std::vector<std::string> all;
  for (const unsigned repaired : {0u, unsigned{option_repair}}) {
    all.push_back(option(repaired) + frame_of(0, 0));
    all.push_back(option(repaired) + frame_of(2, 100) + frame_of(1, 0) + frame_of(40, 3));
    all.push_back(option(repaired) + frame_of(2, 17u << 10) + frame_of(2, 8)); // a large one first
    all.push_back(option(repaired | option_hello_first) + hello);
    all.push_back(option(repaired | option_hello_first) + hello + frame_of(3, 32));
  }
  // The end of a large body comes from the zeros that follow.
  auto large = frame_of(2, 20u << 10);
  large.resize(mesh::frame_header_bytes + 16);
  all.push_back(option(option_repair | 2u << tail_shift) + large);
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const auto options = in.byte();
  const auto cut_seed = in.byte();
  std::string wire(in.rest());
  wire.resize(wire.size() + tail_bytes[options >> tail_shift & 3]);
  if (options & option_repair) repair(wire);
  const bool hello_first = options & option_hello_first;

  memory_stream at_once(wire, cut_seed);
  const auto whole = read(at_once, hello_first);
  check_frames(whole.frames, wire);
  memory_stream in_pieces(wire, cut_seed);
  in_pieces.cut_reads();
  const auto pieces = read(in_pieces, hello_first);
  check_frames(pieces.frames, wire);
  promise(same(whole, pieces), "it makes no difference how a stream is cut into reads");
  return !whole.why && !whole.frames.empty();
}

} // namespace gradmesh::fuzz
