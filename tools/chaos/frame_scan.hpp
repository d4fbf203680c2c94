#pragma once

/// The frames in one direction of a connection, read by somebody whom they are not for. Bodies are
/// passed over: a frame comes without the bytes of its body. Plain code, one owner.
///
/// Failure: bytes that are no frames (TLS, another protocol) end the reading, without a word.

#include "actors/mesh/frame.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace gradmesh::tools::chaos {

class frame_scan {
public:
  explicit frame_scan(std::function<void(const mesh::frame_ptr&)> on_frame)
      : on_frame_(std::move(on_frame)) {}

  /// The next bytes, cut anywhere.
  void take(std::string_view bytes);

private:
  /// How many bytes header and metadata of the present frame are, as far as it is known.
  std::size_t head_bytes();
  void finish_head();

  std::function<void(const mesh::frame_ptr&)> on_frame_;
  std::string head_;            // header and metadata, so far
  std::uint64_t body_left_ = 0; // of the frame before
  bool ended_ = false;
};

} // namespace gradmesh::tools::chaos
