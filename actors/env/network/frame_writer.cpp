#include "actors/env/network/frame_writer.hpp"

namespace gradmesh::env {
namespace {

/// Parts up to this size are put together with the headers around them: a copy costs less than one
/// more piece for the system to gather.
constexpr std::size_t copied_part_bytes_max = 1024;

kj::ArrayPtr<const kj::byte> as_kj(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

} // namespace

kj::Promise<void> frame_writer::write(std::vector<mesh::frame_ptr> frames) {
  frames_ = std::move(frames);
  pieces_.clear();
  copied_.clear();
  // Pieces point into `copied_`, which must therefore not move while it grows.
  copied_.reserve(frames_.size() * (mesh::frame_header_bytes + 2 * copied_part_bytes_max));
  std::size_t piece_begin = 0;
  const auto end_copied_piece = [&] {
    const auto piece = std::span(copied_).subspan(piece_begin);
    if (!piece.empty()) pieces_.add(as_kj(piece));
    piece_begin = copied_.size();
  };
  const auto add = [&](std::span<const std::byte> part) {
    if (part.size() <= copied_part_bytes_max) {
      copied_.insert(copied_.end(), part.begin(), part.end());
    } else {
      end_copied_piece();
      pieces_.add(as_kj(part));
    }
  };
  for (const auto& f : frames_) {
    add(mesh::encode_header(*f));
    add(std::as_bytes(std::span(f->metadata)));
    add(f->body.bytes);
  }
  end_copied_piece();
  return stream_.write(pieces_.asPtr()).then([this] { frames_.clear(); });
}

} // namespace gradmesh::env
