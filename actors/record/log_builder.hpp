#pragma once

/// Encodes a clock log (event.hpp). Cheap: tens of nanoseconds for an event.

#include "actors/record/event.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradmesh::record {

class log_builder {
public:
  log_builder();

  void add(const plan_record& plan);
  void add(const read_record& read);
  void add(const push_record& push);
  void add(const step_record& step);
  void add(const export_record& exported);
  void add(const gap_record& gap);
  void add(const end_record& end);

  /// Whether a block has come together.
  bool full() const { return block_.size() >= block_bytes; }
  /// What is to be appended to the file: the records since the last call as a block, before the
  /// first the file's header. Empty if there are none.
  std::string take();

private:
  void begin_block();
  void put(std::uint64_t number);
  void put_bytes(std::string_view bytes);

  std::string block_; // with room for what stands before its payload
  std::size_t payload_at_ = 0;
  std::uint32_t number_ = 0;
  std::uint64_t last_checksum_ = 0;
};

/// Of a block: its length and number as they stand in the file, and its payload.
std::uint64_t block_checksum(std::uint64_t before, std::string_view length_and_number,
                             std::string_view payload);

} // namespace gradmesh::record
