#include "actors/record/log_reader.hpp"

#include "actors/record/log_builder.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <utility>
#include <xxhash.h>

namespace gradmesh::record {
namespace {

constexpr std::uint64_t any32 = std::numeric_limits<std::uint32_t>::max();

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value); // little-endian, as this machine
  return value;
}

plan_record read_plan(payload_cursor& in) {
  plan_record plan;
  plan.shard = in.number_to<std::uint32_t>(any32);
  plan.epoch = in.number();
  for (auto rules = in.number_to<std::size_t>(in.left()); rules > 0 && in.ok(); --rules)
    plan.rules_off.push_back(in.text());
  plan.plan = in.text();
  return plan;
}

read_record read_read(payload_cursor& in) {
  read_record read;
  read.rank = in.number_to<std::uint32_t>(any32);
  read.for_push = in.number();
  read.clock_asked = in.number();
  read.clock = in.number();
  read.own_missing = in.number();
  for (auto runs = in.number_to<std::size_t>(in.left()); runs > 0 && in.ok(); --runs) {
    const auto first = in.number_to<std::uint32_t>(any32);
    read.parts.push_back({first, in.number_to<std::uint32_t>(any32 - first)});
  }
  return read;
}

push_record read_push(payload_cursor& in, outcome what) {
  push_record push{.what = what};
  push.rank = in.number_to<std::uint32_t>(any32);
  push.sequence = in.number();
  push.part = in.number_to<std::uint32_t>(any32);
  push.count = in.number_to<std::uint32_t>(any32);
  if (push.part >= push.count) in.fail();
  push.read_clock = in.number();
  push.clock = in.number();
  push.staleness = in.number();
  push.step = in.number();
  push.first_piece = in.number_to<std::uint32_t>(any32);
  push.pieces = in.number_to<std::uint32_t>(any32 - push.first_piece);
  push.own_steps = in.number();
  push.sample = in.number_to<std::uint32_t>(any32);
  return push;
}

step_record read_step(payload_cursor& in) {
  step_record step;
  step.clock = in.number();
  for (auto ranks = in.number_to<std::size_t>(in.left()); ranks > 0 && in.ok(); --ranks)
    step.ranks.push_back(in.number_to<std::uint32_t>(any32));
  return step;
}

end_record read_end(payload_cursor& in) {
  end_record end;
  end.how = static_cast<ending>(in.number_to<std::uint8_t>(2));
  end.pulls = in.number();
  end.pushes = in.number();
  end.updates = in.number();
  end.repeated_parts = in.number();
  end.refused = in.number();
  return end;
}

event read_event(payload_cursor& in) {
  const auto kind = in.number();
  switch (kind) {
  case 1:
    return read_plan(in);
  case 2:
    return read_read(in);
  case 3:
  case 4:
  case 5:
  case 6:
    return read_push(in, static_cast<outcome>(kind - 3));
  case 7:
    return read_step(in);
  case 8: {
    const auto partition = in.number_to<std::uint32_t>(any32);
    return export_record{partition, in.number()};
  }
  case 9:
    return gap_record{in.number()};
  case 10:
    return read_end(in);
  default:
    in.fail();
    return end_record{};
  }
}

} // namespace

void payload_cursor::fail() {
  ok_ = false;
  rest_ = {};
}

std::uint64_t payload_cursor::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !rest_.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

std::string payload_cursor::text() {
  const auto size = number_to<std::size_t>(rest_.size());
  if (size > rest_.size()) fail();
  std::string taken(rest_.substr(0, size));
  rest_.remove_prefix(taken.size());
  return taken;
}

error log_reader::broken(const std::string& what) const {
  return {errc::malformed_data, fmt::format("{}: {}", where(), what)};
}

std::string log_reader::where() const {
  return fmt::format("{}, block {}, byte {}", file_, blocks_ == 0 ? 0 : blocks_ - 1, event_at_);
}

result<void> log_reader::open_block() {
  event_at_ = at_;
  if (at_ == 0) {
    if (bytes_.size() < file_header_bytes || !bytes_.starts_with(log_magic))
      return broken(fmt::format("this is no clock log ({} bytes, which do not begin with {})",
                                bytes_.size(), log_magic));
    if (const auto version = number_at<std::uint32_t>(bytes_, log_magic.size());
        version != log_version)
      return broken(
          fmt::format("the log has version {}, this program reads {}", version, log_version));
    at_ = event_at_ = file_header_bytes;
    last_checksum_ = XXH3_64bits(bytes_.data(), file_header_bytes);
  }
  const auto rest = bytes_.substr(at_);
  ++blocks_;
  if (rest.empty())
    return broken("the log was cut off: it has no end (its server was killed, and whatever another "
                  "one did in its place is in no log; or the file was cut)");
  if (rest.size() < block_header_bytes)
    return broken(fmt::format("the log was cut off in the header of a block: {} of {} bytes",
                              rest.size(), block_header_bytes));
  const auto length = number_at<std::uint32_t>(rest, 0);
  const auto number = number_at<std::uint32_t>(rest, 4);
  if (number != blocks_ - 1)
    return broken(fmt::format("here stands block {}: the log was edited", number));
  if (length == 0 || length > block_bytes_max)
    return broken(fmt::format("a block of {} bytes: the log was edited", length));
  if (length > rest.size() - block_header_bytes)
    return broken(fmt::format("the log was cut off in a block: {} of {} bytes",
                              rest.size() - block_header_bytes, length));
  const auto payload = rest.substr(block_header_bytes, length);
  const auto checksum = block_checksum(last_checksum_, rest.substr(0, 8), payload);
  if (checksum != number_at<std::uint64_t>(rest, 8))
    return broken("the checksum is wrong: the log was edited or damaged");
  last_checksum_ = checksum;
  at_ += block_header_bytes + length;
  cursor_ = payload_cursor(payload);
  return {};
}

result<std::optional<event>> log_reader::next() {
  if (ended_) {
    event_at_ = read_bytes();
    if (event_at_ != bytes_.size())
      return broken(fmt::format("{} bytes follow the end of the log", bytes_.size() - event_at_));
    return std::optional<event>();
  }
  if (cursor_.left() == 0)
    if (auto opened = open_block(); !opened) return opened.failure();
  event_at_ = read_bytes();
  auto e = read_event(cursor_);
  if (!cursor_.ok()) return broken("a record that makes no sense");
  if (auto fits = check_order(e); !fits) return fits.failure();
  return std::optional(std::move(e));
}

result<void> log_reader::check_order(const event& e) {
  if (!has_plan_ && !std::holds_alternative<plan_record>(e))
    return broken("the log does not begin with its plan");
  ended_ = std::holds_alternative<end_record>(e);
  if (has_gap_ && !ended_) return broken("a record after the gap that ends the recording");
  has_plan_ = true;
  has_gap_ = std::holds_alternative<gap_record>(e);
  return {};
}

} // namespace gradmesh::record
