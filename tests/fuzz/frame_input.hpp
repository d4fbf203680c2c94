#pragma once

/// How the targets of messages write a frame as an input: kind, options of the target, words of
/// metadata (two bytes), metadata, body.

#include "actors/mesh/frame.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace gradmesh::fuzz {

std::string input_of(const mesh::frame& f, std::uint8_t options = 0);

struct frame_input {
  mesh::frame_ptr frame;
  std::uint8_t options = 0;
};
/// Any input makes a frame. Its body is aligned like a received one, but ends with its last byte,
/// so that a byte read beyond is seen.
frame_input frame_of(std::string_view input);

} // namespace gradmesh::fuzz
