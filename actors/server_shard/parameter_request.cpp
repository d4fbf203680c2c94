#include "actors/server_shard/parameter_request.hpp"

#include <fmt/format.h>

namespace gradmesh::server_shard {
namespace {

/// Parts of a push: a shard with more blocks and runs than this is cut into more shards.
constexpr std::uint32_t parts_max = 1u << 20;

/// Takes a body apart from its beginning.
template <class Message>
class body_cursor {
public:
  explicit body_cursor(const Message& message) : message_(message) {}

  /// Nothing if the body is shorter.
  template <class T>
  std::optional<std::span<const T>> take(std::uint64_t count) {
    auto taken = message_.template array<T>(at_, count);
    if (taken) at_ += padded(taken->size_bytes());
    return taken;
  }
  bool at_end() const { return at_ >= message_.body().size(); }

private:
  const Message& message_;
  std::uint64_t at_ = 0;
};

template <class Message>
error wrong_body(const Message& message) {
  return {errc::malformed_message,
          fmt::format("a message of {} parts has a body of {} bytes, which is not what the parts "
                      "say",
                      (*message).getParts().size(), message.body().size())};
}

/// Elements of a list can take no bytes at all; what is made of each of them here does.
template <class Message>
result<void> check_count(const char* what, std::size_t parts, const Message& message) {
  const auto& metadata = message.frame()->metadata;
  if (parts <= metadata.size()) return {};
  return {errc::malformed_message, fmt::format("a {} says that it has {} parts, in {} bytes", what,
                                               parts, 8 * metadata.size())};
}

template <class Message>
result<requested_part> read_part(schema::Part::Reader in, const Message& message,
                                 body_cursor<Message>& body,
                                 const parameters::parameter_store& store) {
  requested_part out;
  out.number = in.getNumber();
  if (in.isBlock()) {
    out.dense = true;
    out.block = in.getBlock();
    if (out.block >= store.dense_blocks())
      return error{errc::invalid_argument, fmt::format("there is no block {}; this shard has {}",
                                                       out.block, store.dense_blocks())};
    return out;
  }
  const auto list = in.getKeys();
  out.name = {list.getHash(), list.getCount()};
  out.has_keys = list.getSent();
  if (!out.has_keys) return out;
  const auto keys = body.template take<std::uint64_t>(out.name.count);
  if (!keys) return wrong_body(message);
  out.keys = *keys;
  return out;
}

} // namespace

std::size_t part_floats(const requested_part& part, const parameters::parameter_store& store) {
  if (part.dense) return static_cast<std::size_t>(store.dense_block_range(part.block).size());
  if (part.name.count > mesh::body_bytes_max) return mesh::body_bytes_max;
  return static_cast<std::size_t>(part.name.count) * store.layout().floats_per_key();
}

result<std::vector<requested_part>> read_parts(const mesh::message<schema::Pull>& pull,
                                               const parameters::parameter_store& store) {
  const auto in = (*pull).getParts();
  if (auto checked = check_count("pull", in.size(), pull); !checked) return checked.failure();
  body_cursor body(pull);
  std::vector<requested_part> parts;
  parts.reserve(in.size());
  for (const auto part : in) {
    auto read = read_part(part, pull, body, store);
    if (!read) return read.failure();
    parts.push_back(*read);
  }
  if (!body.at_end()) return wrong_body(pull);
  return parts;
}

result<std::vector<pushed_part>> read_parts(const mesh::message<schema::Push>& push,
                                            const parameters::parameter_store& store,
                                            parameters::transfer_format format) {
  const auto in = (*push).getParts();
  if (auto checked = check_count("push", in.size(), push); !checked) return checked.failure();
  body_cursor body(push);
  std::vector<pushed_part> parts;
  parts.reserve(in.size());
  for (const auto part : in) {
    auto what = read_part(part.getPart(), push, body, store);
    if (!what) return what.failure();
    const auto floats = part_floats(*what, store);
    pushed_part out{.what = *what,
                    .sequence = part.getSequence(),
                    .number = part.getNumber(),
                    .count = part.getCount(),
                    .read_clock = part.getReadClock(),
                    .step = part.getStep(),
                    .first_piece = part.getFirstPiece(),
                    .pieces = part.getPieces(),
                    .own_steps = part.getOwnSteps(),
                    .values = {},
                    .decoded = {}};
    if (format == parameters::transfer_format::float32) {
      const auto values = body.take<float>(floats);
      if (!values) return wrong_body(push);
      out.values = *values;
    } else {
      const auto encoded = body.take<std::byte>(parameters::encoded_bytes(format, floats));
      if (!encoded) return wrong_body(push);
      out.decoded = mesh::allocate_body(floats * sizeof(float));
      const auto room = out.decoded.as<float>(0, floats);
      if (auto decoded = parameters::decode(format, *encoded, room); !decoded)
        return decoded.failure();
      out.values = room;
    }
    if (out.number >= out.count || out.count > parts_max)
      return error{errc::malformed_message, fmt::format("a push has part {} of {}; parts count "
                                                        "from 0 and there are {} at most",
                                                        out.number, out.count, parts_max)};
    parts.push_back(out);
  }
  if (!body.at_end()) return wrong_body(push);
  return parts;
}

namespace {

/// Of a push, without its values.
result<repeated_part> read_repeated(schema::ReplicatedPart::Reader in,
                                    const mesh::message<schema::Replicate>& change,
                                    body_cursor<mesh::message<schema::Replicate>>& body,
                                    const parameters::parameter_store& store) {
  const auto what = read_part(in.getPart(), change, body, store);
  if (!what) return what.failure();
  const bool named = in.getNumber() < in.getCount() && in.getCount() <= parts_max;
  const bool complete = what->dense || what->has_keys;
  if (!complete || (!named && !(*change).getChange().isStep())) return wrong_body(change);
  return repeated_part{.what = *what,
                       .rate = in.getRate(),
                       .number = in.getNumber(),
                       .count = in.getCount(),
                       .step = in.getStep(),
                       .first_piece = in.getFirstPiece(),
                       .pieces = in.getPieces(),
                       .values = {}};
}

} // namespace

result<void> read_change(const mesh::message<schema::Replicate>& change,
                         const parameters::parameter_store& store, repeated_change& whole) {
  const auto in = (*change).getParts();
  if (auto checked = check_count("replicated change", in.size(), change); !checked) return checked;
  const auto kind = (*change).getChange();
  if (whole.block || (kind.isBlock() && (!whole.parts.empty() || in.size() == 0)))
    return error{errc::malformed_message, "a replicated block is not a change of its own"};
  if (kind.isStep()) whole.step = kind.getStep().getStep();
  body_cursor body(change);
  for (const auto part : in) {
    auto read = read_repeated(part, change, body, store);
    if (!read) return read.failure();
    if (!kind.isBlock()) {
      const auto values = body.take<float>(part_floats(read->what, store));
      if (!values) return wrong_body(change);
      read->values = *values;
    } else if (!read->what.dense || read->what.block != in[0].getPart().getBlock()) {
      return wrong_body(change);
    }
    whole.parts.push_back(*std::move(read));
  }
  if (!kind.isBlock()) return body.at_end() ? result<void>() : wrong_body(change);
  const auto floats = part_floats(whole.parts.front().what, store);
  if (!body.take<float>(floats) || !body.at_end()) return wrong_body(change);
  const auto kept = mesh::to_keep(change.frame()->body);
  whole.block = {kind.getBlock(),
                 {kept.owner, {reinterpret_cast<const float*>(kept.bytes.data()), floats}}};
  return {};
}

} // namespace gradmesh::server_shard
