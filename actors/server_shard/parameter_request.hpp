#pragma once

/// Pulls and pushes as a shard works on them: the parts of a message with what the body holds of
/// them, checked against the tables.

#include "actors/mesh/message.hpp"
#include "actors/parameters/key_cache.hpp"
#include "actors/parameters/parameter_store.hpp"
#include "actors/parameters/transfer_codec.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gradmesh::server_shard {

/// What one part is about. Keys look into the message.
struct requested_part {
  bool dense = false;
  std::uint32_t block = 0; // dense
  // Otherwise a run of keys. Without the keys themselves the shard has to know them by their name.
  bool has_keys = false;
  std::span<const std::uint64_t> keys;
  parameters::key_list_name name;
  std::uint32_t number = 0; // in its pull
};

struct pushed_part {
  requested_part what;
  std::uint64_t sequence = 0;
  std::uint32_t number = 0; // below count
  std::uint32_t count = 0;
  std::uint64_t read_clock = 0;
  // The batch: pieces [first_piece, first_piece + pieces) of a step.
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
  std::uint64_t own_steps = 0;   // as in schema::PushedPart
  std::span<const float> values; // looks into the message, or into `decoded`
  mesh::writable_body decoded;   // where values did not come as float32
};

/// A block as pushes have left it.
struct repeated_block {
  std::uint64_t updates = 0;        // that it had seen
  parameters::shared_floats values; // to be kept
};

/// A change of a shard, as its primary tells its backup: parts of pushes, the sums over a step, or
/// what parts of pushes have made of a block.
struct repeated_part {
  requested_part what; // with its keys
  float rate = 0;
  std::uint32_t number = 0; // below count
  std::uint32_t count = 0;
  std::uint64_t step = 0;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
  std::span<const float> values;
};
struct repeated_change {
  std::optional<std::uint64_t> step;   // of sums
  std::optional<repeated_block> block; // then parts are its pushes, without their values
  std::vector<repeated_part> parts;
};

/// Appends what a Replicate says to a change that goes on in it. Errors: `malformed_message` as
/// below.
result<void> read_change(const mesh::message<schema::Replicate>& change,
                         const parameters::parameter_store& store, repeated_change& whole);

/// Errors: `malformed_message` if the body is not what the parts say, `invalid_argument` for a
/// block that the shard does not have.
result<std::vector<requested_part>> read_parts(const mesh::message<schema::Pull>& pull,
                                               const parameters::parameter_store& store);
result<std::vector<pushed_part>> read_parts(const mesh::message<schema::Push>& push,
                                            const parameters::parameter_store& store,
                                            parameters::transfer_format format);

/// Floats of a part's values; more than any body holds for more keys than can be counted.
std::size_t part_floats(const requested_part& part, const parameters::parameter_store& store);

/// Bytes of a part in a body, from its bytes before padding.
inline std::size_t padded(std::size_t bytes) {
  return (bytes + 7) / 8 * 8;
}

} // namespace gradmesh::server_shard
