#include "actors/env/network/frame_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gradmesh::env {
namespace {

constexpr std::size_t buffer_bytes = 64u << 10;
/// A frame from this size on is received into its own memory unless it is in the buffer already.
constexpr std::size_t large_frame_bytes = 16u << 10;
/// After a large frame another one is likely: read not much more than its header, so that little
/// of its body takes the way through the buffer.
constexpr std::size_t header_read_bytes = 4u << 10;
/// Other connections of the loop get a turn between two reads.
constexpr std::size_t read_bytes_max = 1u << 20;

std::size_t wire_bytes(const mesh::frame_header& h) {
  return mesh::frame_header_bytes + h.metadata_bytes + h.body_bytes;
}

error truncated() {
  return {errc::node_lost, "the peer closed the connection within a frame"};
}

error bad_checksum(const mesh::frame_header& h) {
  return {errc::malformed_message, "frame of kind " + std::to_string(h.kind) + " with " +
                                       std::to_string(h.metadata_bytes) +
                                       " bytes of metadata has a wrong checksum"};
}

} // namespace

frame_reader::frame_reader(kj::AsyncInputStream& stream)
    : stream_(stream), buffer_(kj::heapArray<std::byte>(buffer_bytes)) {}

kj::Promise<result<mesh::frame_ptr>> frame_reader::read_one(limits allowed) {
  allowed_ = allowed;
  return read_next().then([](result<mesh::frame_ptr> f) {
    if (f && !*f) return result<mesh::frame_ptr>(errc::node_lost, "the peer closed the connection");
    return f;
  });
}

kj::Promise<result<mesh::frame_ptr>> frame_reader::read_next() {
  auto f = next();
  if (!f || *f) return f;
  return fill().then([this](result<bool> more) -> kj::Promise<result<mesh::frame_ptr>> {
    if (!more) return result<mesh::frame_ptr>(more.failure());
    if (!*more) return result<mesh::frame_ptr>(mesh::frame_ptr{});
    return read_next();
  });
}

kj::Promise<error> frame_reader::read_all(frame_handler handler) {
  allowed_ = limits{};
  handler_ = std::move(handler);
  return read_on();
}

kj::Promise<error> frame_reader::read_on() {
  for (;;) {
    auto f = next();
    if (!f) return f.failure();
    if (!*f) break;
    if (auto refused = handler_(*std::move(f))) return refused;
  }
  return fill().then([this](result<bool> more) -> kj::Promise<error> {
    if (!more) return more.failure();
    if (!*more) return error{};
    return read_on();
  });
}

result<mesh::frame_ptr> frame_reader::next() {
  if (large_) return std::exchange(large_, nullptr);
  // Before the header is complete: a stranger may have said all that it has to say.
  if (auto checked = mesh::check_magic(buffered()); !checked) return checked.failure();
  if (buffered().size() < mesh::frame_header_bytes) return mesh::frame_ptr{};

  const auto decoded = mesh::decode_header(header_bytes());
  if (!decoded) return decoded.failure();
  const auto& h = decoded->header;
  if (h.metadata_bytes > allowed_.metadata_bytes || h.body_bytes > allowed_.body_bytes)
    return {errc::limit_exceeded, "frame with " + std::to_string(h.metadata_bytes) +
                                      " bytes of metadata and " + std::to_string(h.body_bytes) +
                                      " of body before the handshake is done"};
  if (buffered().size() < wire_bytes(h)) return mesh::frame_ptr{};

  auto f = std::make_shared<mesh::frame>();
  f->header = h;
  f->metadata.resize(h.metadata_bytes / sizeof(std::uint64_t));
  const auto header = header_bytes();
  begin_ += mesh::frame_header_bytes;
  move_out(std::as_writable_bytes(std::span(f->metadata)));
  if (!mesh::checksum_matches(header, f->metadata)) return bad_checksum(h);
  const auto body = mesh::allocate_body(h.body_bytes);
  move_out(body.bytes);
  f->body = body.share();
  last_was_large_ = false;
  return mesh::frame_ptr(std::move(f));
}

kj::Promise<result<bool>> frame_reader::fill() {
  if (buffered().size() >= mesh::frame_header_bytes) {
    const auto decoded = mesh::decode_header(header_bytes()); // valid: next() has seen it
    if (wire_bytes(decoded->header) >= large_frame_bytes) return read_large(*decoded);
  }
  const auto kept = buffered();
  std::memmove(buffer_.begin(), kept.data(), kept.size());
  begin_ = 0;
  end_ = kept.size();
  const auto room =
      std::min(buffer_.size() - end_, last_was_large_ ? header_read_bytes : buffer_.size());
  return stream_.tryRead(buffer_.begin() + end_, 1, room).then([this](std::size_t got) {
    if (got == 0) return end_ == 0 ? result<bool>(false) : result<bool>(truncated());
    end_ += got;
    return result<bool>(true);
  });
}

kj::Promise<result<bool>> frame_reader::read_large(const mesh::decoded_header& decoded) {
  last_was_large_ = true;
  std::array<std::byte, mesh::frame_header_bytes> header;
  move_out(header);
  auto f = std::make_shared<mesh::frame>();
  f->header = decoded.header;
  f->metadata.resize(f->header.metadata_bytes / sizeof(std::uint64_t));
  const auto metadata = std::as_writable_bytes(std::span(f->metadata));
  const auto here = std::min(metadata.size(), buffered().size());
  move_out(metadata.first(here));

  return read_exactly(metadata.subspan(here))
      .then([this, header, f](bool complete) -> kj::Promise<result<bool>> {
        if (!complete) return result<bool>(truncated());
        if (!mesh::checksum_matches(header, f->metadata))
          return result<bool>(bad_checksum(f->header));
        const auto body = mesh::allocate_body(f->header.body_bytes);
        f->body = body.share();
        const auto here_too = std::min(body.bytes.size(), buffered().size());
        move_out(body.bytes.first(here_too));
        return read_exactly(body.bytes.subspan(here_too)).then([this, f](bool whole) {
          if (!whole) return result<bool>(truncated());
          large_ = f;
          return result<bool>(true);
        });
      });
}

kj::Promise<bool> frame_reader::read_exactly(std::span<std::byte> to) {
  if (to.empty()) return true;
  const auto step = std::min(to.size(), read_bytes_max);
  return stream_.tryRead(to.data(), step, step)
      .then([this, to, step](std::size_t got) -> kj::Promise<bool> {
        if (got < step) return false;
        return read_exactly(to.subspan(step));
      });
}

std::span<const std::byte> frame_reader::buffered() const {
  return {buffer_.begin() + begin_, end_ - begin_};
}

std::span<const std::byte, mesh::frame_header_bytes> frame_reader::header_bytes() const {
  return buffered().first<mesh::frame_header_bytes>();
}

void frame_reader::move_out(std::span<std::byte> to) {
  if (to.empty()) return;
  std::memcpy(to.data(), buffered().data(), to.size());
  begin_ += to.size();
}

} // namespace gradmesh::env
