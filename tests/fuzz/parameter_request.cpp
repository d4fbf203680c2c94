/// Pulls and pushes as a shard reads them: parts, keys, values in every transfer format.

#include "tests/fuzz/frame_input.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/mesh/receive.hpp"
#include "actors/server_shard/parameter_request.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradmesh::fuzz {
namespace {

using parameters::transfer_format;

constexpr std::size_t formats = 4;
constexpr std::uint64_t dense_floats = 10;
constexpr std::size_t floats_per_key = 5;

const parameters::parameter_store& shard() {
  static const auto store = *parameters::parameter_store::make(
      {{"w", learning::table_kind::dense, dense_floats, learning::initializer::zeros, 0},
       {"a", learning::table_kind::sparse, 2, learning::initializer::zeros, 0},
       {"b", learning::table_kind::sparse, 3, learning::initializer::uniform, 0.5F}},
      *parameters::partition_map::make(dense_floats, parameters::contiguous_owners(4, 1), 1), 0,
      {.kind = "sgd", .learning_rate = 0.1F}, 1);
  return store;
}

result<void> check_keys(const server_shard::requested_part& what) {
  if (!what.has_keys) {
    promise(what.keys.empty(), "keys that were not sent are not there");
    return {};
  }
  promise(what.keys.size() == what.name.count, "as many keys as said are there");
  const auto rows = shard().resolve(what.keys);
  promise(!rows || std::ranges::is_sorted(what.keys), "keys that were found ascend");
  return rows ? result<void>() : rows.failure();
}

result<void> check(const mesh::message<schema::Pull>& pull, std::uint8_t) {
  const auto parts = server_shard::read_parts(pull, shard());
  if (!parts) return parts.failure();
  std::vector<float> out;
  for (const auto& part : *parts) {
    if (part.dense) {
      promise(part.block < shard().dense_blocks(), "a block exists");
      continue;
    }
    if (auto checked = check_keys(part); !checked) return checked;
    if (!part.has_keys) continue;
    out.resize(part.keys.size() * floats_per_key);
    promise(static_cast<bool>(shard().read_sparse(*shard().resolve(part.keys), out)),
            "rows of keys that were found can be read");
  }
  return {};
}

result<void> check(const mesh::message<schema::Push>& push, std::uint8_t options) {
  const auto parts =
      server_shard::read_parts(push, shard(), static_cast<transfer_format>(options % formats));
  if (!parts) return parts.failure();
  for (const auto& part : *parts) {
    promise(part.number < part.count, "a part is one of its push");
    const auto finite = std::ranges::all_of(part.values, [](float v) { return std::isfinite(v); });
    if (part.what.dense) {
      promise(part.values.size() == dense_floats, "a block has all its values");
      const auto checked = shard().check_dense(part.what.block, part.values);
      promise(static_cast<bool>(checked) == finite, "finite values are taken, others are not");
      if (!checked) return checked;
      continue;
    }
    promise(part.values.size() == part.what.name.count * floats_per_key, "each key has its rows");
    if (auto checked = check_keys(part.what); !checked) return checked;
    if (!part.what.has_keys) continue;
    const auto checked = shard().check_sparse(*shard().resolve(part.what.keys), part.values);
    promise(static_cast<bool>(checked) == finite, "finite rows are taken, others are not");
    if (!checked) return checked;
  }
  return {};
}

template <class T>
result<void> check_as(const frame_input& in) {
  const auto m = mesh::message<T>::decode(in.frame);
  if (!m) return m.failure();
  return mesh::guarded([&] { return check(*m, in.options); });
}

// Seeds: bodies are put together here by the words of schema/parameters.capnp.

using bytes = std::vector<std::byte>;

template <class T>
void append(bytes& body, std::span<const T> values) {
  const auto raw = std::as_bytes(values);
  body.insert(body.end(), raw.begin(), raw.end());
  body.resize(server_shard::padded(body.size()));
}

void append_values(bytes& body, transfer_format format, std::size_t floats) {
  const std::vector<float> values(floats, 0.25F);
  bytes encoded(parameters::encoded_bytes(format, floats));
  promise(static_cast<bool>(parameters::encode(format, values, encoded)), "a seed can be encoded");
  append(body, std::span<const std::byte>(encoded));
}

template <class T>
std::string input_with(const mesh::draft<T>& message, const bytes& body, transfer_format format) {
  auto f = message.build({}, {}, 0, mesh::lane::bulk);
  f.body = {nullptr, body};
  f.header.body_bytes = body.size();
  return input_of(f, static_cast<std::uint8_t>(format));
}

const std::vector<std::uint64_t> some_keys{3, 70, ~std::uint64_t{0}};

void set_keys(schema::KeyList::Builder list, bool sent) {
  const auto name = parameters::name_of(some_keys);
  list.setCount(name.count);
  list.setHash(name.hash);
  list.setSent(sent);
}

std::string sample_pull() {
  mesh::draft<schema::Pull> pull;
  auto parts = pull->initParts(3);
  parts[0].setBlock(0);
  set_keys(parts[1].initKeys(), true);
  set_keys(parts[2].initKeys(), false);
  bytes body;
  append(body, std::span(some_keys));
  return input_with(pull, body, transfer_format::float32);
}

std::string sample_push(transfer_format format) {
  mesh::draft<schema::Push> push;
  auto parts = push->initParts(3);
  for (unsigned i = 0; i < parts.size(); ++i) {
    parts[i].setNumber(i);
    parts[i].setCount(parts.size());
  }
  bytes body;
  parts[0].initPart().setBlock(0);
  append_values(body, format, dense_floats);
  set_keys(parts[1].initPart().initKeys(), true);
  append(body, std::span(some_keys));
  append_values(body, format, some_keys.size() * floats_per_key);
  set_keys(parts[2].initPart().initKeys(), false);
  append_values(body, format, some_keys.size() * floats_per_key);
  return input_with(push, body, format);
}

} // namespace

std::vector<std::string> seeds() {
  return {sample_pull(), sample_push(transfer_format::float32),
          sample_push(transfer_format::float16), sample_push(transfer_format::bfloat16),
          sample_push(transfer_format::int8)};
}

bool accepts(std::string_view input) {
  const auto in = frame_of(input);
  if (in.frame->header.kind == static_cast<std::uint16_t>(schema::MessageKind::PULL))
    return static_cast<bool>(check_as<schema::Pull>(in));
  return static_cast<bool>(check_as<schema::Push>(in)); // must see when it is none
}

} // namespace gradmesh::fuzz
