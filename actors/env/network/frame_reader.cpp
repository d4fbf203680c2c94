#include "actors/env/network/frame_reader.hpp"

#include <sys/socket.h>

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
/// A turn where all is here already: two blocks of parameters. What is done with a frame costs half
/// as much where it is done twice in a row. More would be out of the cache by then, and the peer
/// would wait for its answers.
constexpr std::size_t turn_frames_max = 2;
constexpr std::size_t turn_bytes_max = 512u << 10;

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

frame_reader::frame_reader(kj::AsyncInputStream& stream, kj::Maybe<int> socket)
    : stream_(stream), socket_(socket), buffer_(kj::heapArray<std::byte>(buffer_bytes)) {}

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
  return read_later().then([this](result<bool> more) -> kj::Promise<result<mesh::frame_ptr>> {
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
  for (std::size_t frames = 0, bytes = 0;;) {
    auto f = next();
    if (!f) return f.failure();
    if (*f) {
      ++frames;
      bytes += (*f)->wire_bytes();
      if (auto refused = handler_(*std::move(f))) return refused;
      continue;
    }
    if (!more_is_here_) break;
    if (frames >= turn_frames_max || bytes >= turn_bytes_max)
      return kj::evalLater([this] { return read_on(); });
    const auto more = read_now();
    if (!more) break;
    if (!*more) return more->failure();
    if (!**more) return error{};
  }
  return read_later().then([this](result<bool> more) -> kj::Promise<error> {
    if (!more) return more.failure();
    if (!*more) return error{};
    return read_on();
  });
}

result<mesh::frame_ptr> frame_reader::next() {
  if (large_) return advance_large();
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
  if (buffered().size() < wire_bytes(h)) {
    if (wire_bytes(h) < large_frame_bytes) return mesh::frame_ptr{};
    begin_large(*decoded);
    return advance_large();
  }

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
  last_was_large_ = more_is_here_ = false;
  return mesh::frame_ptr(std::move(f));
}

void frame_reader::begin_large(const mesh::decoded_header& decoded) {
  last_was_large_ = true;
  auto& large = large_.emplace();
  move_out(large.header);
  large.frame = std::make_shared<mesh::frame>();
  large.frame->header = decoded.header;
  large.frame->metadata.resize(decoded.header.metadata_bytes / sizeof(std::uint64_t));
  large.missing = move_out_some(std::as_writable_bytes(std::span(large.frame->metadata)));
}

result<mesh::frame_ptr> frame_reader::advance_large() {
  auto& frame = *large_->frame;
  if (large_->missing.empty() && !large_->has_metadata) {
    if (!mesh::checksum_matches(large_->header, frame.metadata)) return bad_checksum(frame.header);
    const auto body = mesh::allocate_body(frame.header.body_bytes);
    frame.body = body.share();
    large_->has_metadata = true;
    large_->missing = move_out_some(body.bytes);
  }
  if (!large_->missing.empty()) return mesh::frame_ptr{};
  const mesh::frame_ptr whole = std::move(large_->frame);
  large_.reset();
  return whole;
}

std::span<std::byte> frame_reader::wanted() {
  if (large_) return large_->missing.first(std::min(large_->missing.size(), read_bytes_max));
  const auto kept = buffered();
  std::memmove(buffer_.begin(), kept.data(), kept.size());
  begin_ = 0;
  end_ = kept.size();
  const auto room = last_was_large_ ? header_read_bytes : buffer_.size();
  return {buffer_.begin() + end_, std::min(buffer_.size() - end_, room)};
}

result<bool> frame_reader::came(std::size_t bytes) {
  if (bytes == 0) return large_ || !buffered().empty() ? result<bool>(truncated()) : false;
  if (large_)
    large_->missing = large_->missing.subspan(bytes);
  else
    end_ += bytes;
  return true;
}

std::optional<result<bool>> frame_reader::read_now() {
  KJ_IF_MAYBE (socket, socket_) {
    const auto to = wanted();
    const auto got = recv(*socket, to.data(), to.size(), MSG_DONTWAIT);
    more_is_here_ = got == static_cast<ssize_t>(to.size());
    // What it fails with now it fails with again, and the stream knows what to say of it.
    if (got >= 0) return came(static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

kj::Promise<result<bool>> frame_reader::read_later() {
  const auto to = wanted();
  return stream_.tryRead(to.data(), large_ ? to.size() : 1, to.size())
      .then([this, to](std::size_t got) -> result<bool> {
        more_is_here_ = got == to.size();
        if (large_ && got < to.size()) return truncated();
        return came(got);
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

std::span<std::byte> frame_reader::move_out_some(std::span<std::byte> to) {
  const auto here = std::min(to.size(), buffered().size());
  move_out(to.first(here));
  return to.subspan(here);
}

} // namespace gradmesh::env
