#include "actors/env/network/shared_memory/ring.hpp"

#include <algorithm>
#include <cstring>

namespace gradmesh::env::shm {
namespace {

error bad_index(const char* which, std::uint64_t value, std::uint64_t other) {
  return {errc::malformed_message, std::string("the peer's ") + which +
                                       " index in the shared "
                                       "memory is " +
                                       std::to_string(value) + ", which cannot be: ours is " +
                                       std::to_string(other)};
}

} // namespace

result<bool> ring_writer::has_room(std::size_t bytes) {
  const auto size = way_.ring.size();
  if (position_ + bytes - read_ <= size) return true;
  const auto read = way_.block.read.load();
  if (position_ - read > size) return bad_index("read", read, position_);
  read_ = read;
  return position_ + bytes - read_ <= size;
}

bool ring_writer::drained() {
  return way_.block.read.load() == position_;
}

void ring_writer::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto at = position_ % way_.ring.size();
    const auto part = std::min(bytes.size(), way_.ring.size() - at);
    std::memcpy(way_.ring.data() + at, bytes.data(), part);
    position_ += part;
    bytes = bytes.subspan(part);
  }
}

void ring_writer::pad() {
  position_ = (position_ + 7) / 8 * 8;
}

void ring_writer::publish() {
  published_ = position_;
  way_.block.written.store(position_);
}

result<std::optional<record>> ring_reader::next() {
  if (position_ == written_) {
    const auto written = way_.block.written.load();
    if (written - position_ > way_.ring.size()) return bad_index("write", written, position_);
    written_ = written;
    if (position_ == written_) return std::optional<record>{};
  }
  const auto there = written_ - position_;
  record r{};
  if (there >= sizeof(r)) take(std::as_writable_bytes(std::span(&r, 1)));
  if (there < sizeof(r) || record_bytes(r.inline_bytes) > there)
    return {errc::malformed_message, "a record of " + std::to_string(record_bytes(r.inline_bytes)) +
                                         " bytes where the shared ring holds " +
                                         std::to_string(there)};
  end_ = position_ - sizeof(r) + record_bytes(r.inline_bytes);
  return std::optional(r);
}

void ring_reader::take(std::span<std::byte> to) {
  while (!to.empty()) {
    const auto at = position_ % way_.ring.size();
    const auto part = std::min(to.size(), way_.ring.size() - at);
    std::memcpy(to.data(), way_.ring.data() + at, part);
    position_ += part;
    to = to.subspan(part);
  }
}

void ring_reader::publish() {
  published_ = position_;
  way_.block.read.store(position_);
}

} // namespace gradmesh::env::shm
