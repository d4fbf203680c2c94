#include "tools/chaos/frame_scan.hpp"

#include <cstring>
#include <span>

namespace gradmesh::tools::chaos {
namespace {

result<mesh::decoded_header> header_of(const std::string& head) {
  return mesh::decode_header(std::as_bytes(std::span(head)).first<mesh::frame_header_bytes>());
}

} // namespace

void frame_scan::take(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    const auto passed = std::min<std::uint64_t>(body_left_, bytes.size());
    body_left_ -= passed;
    bytes.remove_prefix(passed);
    const auto more = std::min(head_bytes() - head_.size(), bytes.size());
    head_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    if (head_.size() == head_bytes() && !ended_) finish_head();
  }
}

std::size_t frame_scan::head_bytes() {
  if (head_.size() < mesh::frame_header_bytes) return mesh::frame_header_bytes;
  const auto decoded = header_of(head_);
  ended_ = !decoded;
  return ended_ ? head_.size() : mesh::frame_header_bytes + decoded->header.metadata_bytes;
}

void frame_scan::finish_head() {
  auto f = std::make_shared<mesh::frame>();
  f->header = header_of(head_)->header;
  f->metadata.resize(f->header.metadata_bytes / sizeof(std::uint64_t));
  std::memcpy(f->metadata.data(), head_.data() + mesh::frame_header_bytes,
              f->metadata.size() * sizeof(std::uint64_t));
  body_left_ = f->header.body_bytes;
  head_.clear();
  on_frame_(f);
}

} // namespace gradmesh::tools::chaos
