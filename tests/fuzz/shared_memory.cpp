/// The receiving end of a shared-memory lane: a ring and its indices, written by a hostile peer.

#include "tests/fuzz/target.hpp"

#include "actors/env/network/shared_memory/frame_receiver.hpp"
#include "actors/env/network/shared_memory/frame_sender.hpp"

#include <sys/socket.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace gradmesh::fuzz {
namespace {

namespace shm = env::shm;

// The first byte of an input.
/// Lengths and checksums of frames are made right.
constexpr std::uint8_t option_repair = 1;
/// Two bytes are the write index; otherwise it is the end of the input.
constexpr std::uint8_t option_index = 2;
/// Frames are let go in the order in which they came, not backwards.
constexpr std::uint8_t option_forwards = 4;

constexpr shm::sizes small{4u << 10, 256u << 10};
constexpr std::size_t pages = small.area_bytes / shm::page_bytes;
constexpr std::size_t records_max = 256; // no more fit into the ring

// schema/link.capnp
constexpr std::size_t at_metadata_bytes = 16;
constexpr std::size_t at_body_bytes = 24;
constexpr std::size_t at_checksum = 88;

struct shared {
  std::shared_ptr<shm::memory> memory = *shm::memory::create(small);
  std::shared_ptr<shm::doorbell> bell;

  shared() {
    int ends[2];
    promise(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
            "there are sockets");
    close(ends[1]);
    bell = std::make_shared<shm::doorbell>(kj::AutoCloseFd(ends[0]), memory, 1);
  }

  shm::direction way() const { return memory->way(0); }

  /// As after `create`.
  void clear() const {
    const auto w = way();
    w.block.written = 0;
    w.block.read = 0;
    w.block.closed = 0;
    for (auto& bits : w.released)
      bits = 0;
  }
};

shared& one() {
  static shared s;
  return s;
}

template <class Number>
Number number_at(const std::string& bytes, std::size_t at) {
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class Number>
void set_number(std::string& bytes, std::size_t at, Number value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Makes a frame that begins at `at` and has its metadata within the record possible and gives it
/// the right checksum. Returns the length of its body.
std::uint64_t repair_frame(std::string& ring, std::size_t at, std::size_t bytes) {
  auto metadata = number_at<std::uint32_t>(ring, at + at_metadata_bytes);
  const auto room = bytes - mesh::frame_header_bytes;
  metadata = metadata % (static_cast<std::uint32_t>(room) + 8) / 8 * 8;
  if (metadata > room) metadata -= 8;
  const auto body = number_at<std::uint64_t>(ring, at + at_body_bytes) % (2 * small.area_bytes);
  set_number(ring, at + at_metadata_bytes, metadata);
  set_number(ring, at + at_body_bytes, body);
  auto summed = ring.substr(at, at_checksum);
  summed.append(ring, at + mesh::frame_header_bytes, metadata);
  set_number<std::uint64_t>(ring, at + at_checksum, XXH3_64bits(summed.data(), summed.size()));
  const auto here = room - metadata;
  return body > here ? body - here : 0;
}

void repair(std::string& ring) {
  std::uint64_t body_left = 0;
  for (std::size_t at = 0; at + sizeof(shm::record) <= ring.size();) {
    const auto r = number_at<shm::record>(ring, at);
    const auto begin = at + sizeof r;
    if (shm::record_bytes(r.inline_bytes) > ring.size() - at) return;
    if (body_left == 0) {
      if (r.inline_bytes < mesh::frame_header_bytes) return;
      body_left = repair_frame(ring, begin, r.inline_bytes);
      body_left -= std::min(body_left, r.area_bytes);
    } else {
      body_left -= std::min(body_left, r.inline_bytes + r.area_bytes);
    }
    at += shm::record_bytes(r.inline_bytes);
  }
}

std::uint64_t sum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (const auto byte : bytes)
    sum += std::to_integer<std::uint64_t>(byte);
  return sum;
}

void check_frame(const mesh::frame& f) {
  promise(static_cast<bool>(mesh::check_lengths(f)), "a frame fits its header and the limits");
  promise(sum_of(f.body.bytes) <= 255 * f.body.bytes.size(), "every byte of a body can be read");
}

/// What an honest sender writes into the ring for these frames.
std::string ring_of(std::vector<mesh::frame_ptr> frames) {
  const shared s;
  shm::frame_sender sender(s.way(), small, *s.bell);
  sender.start(std::move(frames));
  const auto sent = sender.advance();
  promise(sent && sent->now == shm::frame_sender::state::done, "a seed fits into the memory");
  const auto ring = s.way().ring.first(s.way().block.written);
  return {reinterpret_cast<const char*>(ring.data()), ring.size()};
}

mesh::frame_ptr frame_of(std::size_t metadata_words, std::size_t body_bytes) {
  auto f = std::make_shared<mesh::frame>();
  f->metadata.assign(metadata_words, 0x0123456789abcdef);
  const auto body = mesh::allocate_body(body_bytes);
  std::ranges::fill(body.bytes, std::byte{7});
  f->body = body.share();
  f->header.kind = 28;
  f->header.lane = mesh::lane::bulk;
  f->header.metadata_bytes = static_cast<std::uint32_t>(metadata_words * 8);
  f->header.body_bytes = body_bytes;
  f->header.from = {{1, 2, 3}, 4};
  return f;
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char options : {'\0', '\1', '\5'}) {
    const std::string begin{options, '\0', '\0'};
    all.push_back(begin + ring_of({frame_of(2, 0)}));
    all.push_back(begin + ring_of({frame_of(1, 100), frame_of(3, 9'000), frame_of(0, 40'000)}));
    all.push_back(begin + ring_of({frame_of(2, 200'000)})); // in pieces: more than may be lent
  }
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const auto options = in.byte();
  const std::uint64_t index = in.two_bytes();
  std::string ring(in.rest().substr(0, small.ring_bytes));
  if (options & option_repair) repair(ring);

  const auto& s = one();
  s.clear();
  const auto way = s.way();
  std::memcpy(way.ring.data(), ring.data(), ring.size());
  way.block.written = options & option_index ? index : ring.size() / 8 * 8;
  std::vector<mesh::frame_ptr> frames;
  bool taken = false;
  {
    shm::frame_receiver receiver(way, s.bell);
    auto step = receiver.next();
    for (std::size_t records = 0; step && step->bytes > 0; ++records) {
      promise(records < records_max, "a ring has an end");
      if (step->complete) frames.push_back(step->complete);
      step = receiver.next();
    }
    if (!step) promise(can_be_shown(step.failure().text), "why a lane ends can be shown");
    taken = step && receiver.between_frames() && !frames.empty();
    receiver.publish();
  }
  for (const auto& f : frames)
    check_frame(*f);
  while (!frames.empty())
    frames.erase(options & option_forwards ? frames.begin() : frames.end() - 1);
  return taken;
}

} // namespace gradmesh::fuzz
