#include "actors/env/network/link.hpp"

#include "actors/env/network/tcp.hpp"

namespace gradmesh::env {
namespace {

constexpr std::chrono::milliseconds second_lane_grace{1'000};

error fault(const std::string& what) {
  return {errc::malformed_message, "the peer broke the protocol: " + what};
}

} // namespace

link::link(loop_context& context, peer who, lanes connections, std::shared_ptr<peer_queues> queues,
           kj::Function<void(error)> ended)
    : context_(context), who_(std::move(who)), connections_(std::move(connections)),
      queues_(std::move(queues)), on_end_(kj::mv(ended)), tasks_(*this) {}

void link::start() {
  for (const auto l : {mesh::lane::control, mesh::lane::bulk}) {
    auto reading =
        at(l).read_all([this, l](mesh::frame_ptr f) { return receive(l, std::move(f)); });
    tasks_.add(reading.then([this](error why) { reading_ended(std::move(why)); }));
  }
}

error link::receive(mesh::lane l, mesh::frame_ptr f) {
  if (ended_) return {errc::cancelled, "the link has ended"};
  const auto& h = f->header;
  if (h.lane != l) return fault("a frame came on the wrong lane");
  if (h.from != who_.identity) return fault("a frame bears another identity than its Hello");
  if (is_handshake_kind(h.kind) || !is_known_kind(h.kind))
    return fault("a frame of kind " + std::to_string(h.kind) + " came after the handshake");
  context_.counters.frames_received.fetch_add(1, std::memory_order_relaxed);
  context_.counters.bytes_received.fetch_add(f->wire_bytes(), std::memory_order_relaxed);
  context_.events.on_frame(std::move(f));
  return {};
}

void link::reading_ended(error why) {
  --lanes_readable_;
  if (why) {
    if (why.code == errc::malformed_message || why.code == errc::limit_exceeded)
      context_.counters.frames_refused.fetch_add(1, std::memory_order_relaxed);
    return end(std::move(why));
  }
  const error closed{errc::node_lost, "the peer closed the connection"};
  if (lanes_readable_ == 0) return end(closed);
  tasks_.add(context_.after(second_lane_grace).then([this, closed] { end(closed); }));
}

void link::wake_writer(mesh::lane l) {
  // Later, so that the answers to a whole batch of frames leave in one write.
  tasks_.add(kj::evalLater([this, l] { return write_on(l); }));
}

kj::Promise<void> link::write_on(mesh::lane l) {
  if (ended_) return kj::READY_NOW;
  auto batch = queues_->at(l).take();
  if (batch.empty()) {
    if (finishing_) at(l).shutdown_write();
    return kj::READY_NOW;
  }
  std::size_t bytes = 0;
  for (const auto& f : batch)
    bytes += f->wire_bytes();
  const auto frames = batch.size();
  return at(l).write(std::move(batch)).then([this, l, bytes, frames] {
    queues_->at(l).written(bytes);
    context_.counters.frames_sent.fetch_add(frames, std::memory_order_relaxed);
    context_.counters.bytes_sent.fetch_add(bytes, std::memory_order_relaxed);
    return write_on(l);
  });
}

void link::finish() {
  finishing_ = true;
  // A writer that is at work comes to the end of its closed queue by itself.
  for (const auto l : {mesh::lane::control, mesh::lane::bulk})
    if (queues_->at(l).bytes() == 0) wake_writer(l);
}

void link::end(error why) {
  if (std::exchange(ended_, true)) return;
  on_end_(std::move(why));
}

void link::taskFailed(kj::Exception&& e) {
  const bool lost = e.getType() == kj::Exception::Type::DISCONNECTED;
  end({lost ? errc::node_lost : errc::io_failed, "the connection failed: " + reason_of(e)});
}

} // namespace gradmesh::env
