#pragma once

/// INTERNAL to this folder: the two ends of a ring of records. One thread each.

#include "actors/env/network/shared_memory/memory.hpp"

#include <optional>

namespace gradmesh::env::shm {

class ring_writer {
public:
  explicit ring_writer(direction way) : way_(way) {}

  /// Whether a record with its inline bytes finds room. Errors: `malformed_message` (the reader
  /// says that it has read more than was written).
  result<bool> has_room(std::size_t bytes);
  /// Whether the reader has taken everything. `has_room` must have been called before.
  bool drained();

  /// A record is put by one or more calls and a final `pad`; there must be room.
  void put(std::span<const std::byte> bytes);
  void pad();

  /// What was put becomes visible to the reader.
  void publish();
  std::size_t unpublished() const { return position_ - published_; }
  /// Nothing follows what was published.
  void close() { way_.block.closed.store(1); }

private:
  direction way_;
  std::uint64_t position_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t read_ = 0; // as last seen
};

class ring_reader {
public:
  explicit ring_reader(direction way) : way_(way) {}

  /// The next record, whose inline bytes `take` then yields; none when there is none.
  /// Errors: `malformed_message` (an index or a length cannot be).
  result<std::optional<record>> next();
  void take(std::span<std::byte> to);
  /// Done with the record.
  void skip() { position_ = end_; }

  /// The room of the records that were read is the writer's again.
  void publish();
  std::size_t unpublished() const { return position_ - published_; }
  /// Nothing follows what `next` yields from now on.
  bool closed() const { return way_.block.closed.load() != 0; }

private:
  direction way_;
  std::uint64_t position_ = 0;
  std::uint64_t end_ = 0; // of the record
  std::uint64_t published_ = 0;
  std::uint64_t written_ = 0; // as last seen
};

} // namespace gradmesh::env::shm
