#include "actors/record/log_builder.hpp"

#include <algorithm>
#include <cstring>
#include <xxhash.h>

namespace gradmesh::record {
namespace {

/// A block is closed after the record that fills it.
constexpr std::size_t block_slack = 4096;

void put_number(std::string& at, std::size_t place, std::uint64_t number, std::size_t bytes) {
  std::memcpy(at.data() + place, &number, bytes); // little-endian, as this machine
}

} // namespace

std::uint64_t block_checksum(std::uint64_t before, std::string_view length_and_number,
                             std::string_view payload) {
  const auto seed =
      XXH3_64bits_withSeed(length_and_number.data(), length_and_number.size(), before);
  return XXH3_64bits_withSeed(payload.data(), payload.size(), seed);
}

log_builder::log_builder() {
  block_.assign(file_header_bytes, '\0');
  std::ranges::copy(log_magic, block_.begin());
  put_number(block_, log_magic.size(), log_version, sizeof log_version);
  last_checksum_ = XXH3_64bits(block_.data(), block_.size());
  begin_block();
}

void log_builder::begin_block() {
  block_.reserve(block_bytes + block_slack);
  payload_at_ = block_.size() + block_header_bytes;
  block_.resize(payload_at_);
}

std::string log_builder::take() {
  if (block_.size() == payload_at_) return {};
  const auto header = payload_at_ - block_header_bytes;
  put_number(block_, header, block_.size() - payload_at_, 4);
  put_number(block_, header + 4, number_++, 4);
  const std::string_view whole(block_);
  last_checksum_ =
      block_checksum(last_checksum_, whole.substr(header, 8), whole.substr(payload_at_));
  put_number(block_, header + 8, last_checksum_, 8);
  auto taken = std::move(block_);
  block_ = {};
  begin_block();
  return taken;
}

void log_builder::put(std::uint64_t number) {
  char bytes[10];
  std::size_t count = 0;
  for (; number >= 0x80; number >>= 7)
    bytes[count++] = static_cast<char>(number | 0x80);
  bytes[count++] = static_cast<char>(number);
  block_.append(bytes, count);
}

void log_builder::put_bytes(std::string_view bytes) {
  put(bytes.size());
  block_ += bytes;
}

void log_builder::add(const plan_record& plan) {
  put(1);
  put(plan.shard);
  put(plan.epoch);
  put(plan.rules_off.size());
  for (const auto& rule : plan.rules_off)
    put_bytes(rule);
  put_bytes(plan.plan);
}

void log_builder::add(const read_record& read) {
  put(2);
  put(read.rank);
  put(read.for_push);
  put(read.clock_asked);
  put(read.clock);
  put(read.own_missing);
  put(read.parts.size());
  for (const auto& run : read.parts) {
    put(run.first);
    put(run.count);
  }
}

void log_builder::add(const push_record& push) {
  put(3 + static_cast<std::uint64_t>(push.what));
  put(push.rank);
  put(push.sequence);
  put(push.part);
  put(push.count);
  put(push.read_clock);
  put(push.clock);
  put(push.staleness);
  put(push.step);
  put(push.first_piece);
  put(push.pieces);
  put(push.own_steps);
  put(push.sample);
}

void log_builder::add(const step_record& step) {
  put(7);
  put(step.clock);
  put(step.ranks.size());
  for (const auto rank : step.ranks)
    put(rank);
}

void log_builder::add(const export_record& exported) {
  put(8);
  put(exported.partition);
  put(exported.hash);
}

void log_builder::add(const gap_record& gap) {
  put(9);
  put(gap.events);
}

void log_builder::add(const end_record& end) {
  put(10);
  for (const auto number : {static_cast<std::uint64_t>(end.how), end.pulls, end.pushes, end.updates,
                            end.repeated_parts, end.refused})
    put(number);
}

} // namespace gradmesh::record
