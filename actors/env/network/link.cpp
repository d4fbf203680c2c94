#include "actors/env/network/link.hpp"

#include "actors/env/network/role_rules.hpp"
#include "actors/env/network/socket_loop.hpp"
#include "actors/env/network/tcp.hpp"

namespace gradmesh::env {
namespace {

constexpr std::size_t control_window_bytes = 8u << 20;

constexpr std::chrono::milliseconds second_lane_grace{1'000};

error fault(const std::string& what) {
  return {errc::malformed_message, "the peer broke the protocol: " + what};
}

} // namespace

link::link(loop_context& context, peer who, lanes connections, std::shared_ptr<peer_queues> queues,
           kj::Function<void(error)> ended)
    : context_(context), bulk_arrivals_(context.spin), who_(std::move(who)),
      connections_(std::move(connections)), queues_(std::move(queues)), on_end_(kj::mv(ended)),
      tasks_(*this) {
  const auto make_window = [&](mesh::lane l, std::uint64_t bytes) {
    const auto news = [&tasks = context_.tasks, identity = who_.identity, l] {
      tasks.post([identity, l](socket_loop& loop) { loop.peers().grant(identity, l); });
    };
    return std::make_shared<receive_window>(bytes, news);
  };
  windows_ = {make_window(mesh::lane::control, control_window_bytes),
              make_window(mesh::lane::bulk, context_.options.window_bytes)};
}

link::~link() {
  for (const auto& w : windows_)
    w->close();
}

void link::start() {
  for (const auto l : {mesh::lane::control, mesh::lane::bulk}) {
    // Now, but with what the first read throws in the promise: the peer is told of already.
    auto reading = kj::evalNow([&] {
      return at(l).read_all([this, l](mesh::frame_ptr f) { return receive(l, std::move(f)); });
    });
    tasks_.add(reading.then([this](error why) { reading_ended(std::move(why)); }));
    grant(l);
  }
}

error link::check_header(mesh::lane l, const mesh::frame_header& h) {
  if (h.lane != l) return fault("a frame came on the wrong lane");
  if (h.from != who_.identity) return fault("a frame bears another identity than its Hello");
  if (is_handshake_kind(h.kind) || !is_known_kind(h.kind))
    return fault("a frame of kind " + std::to_string(h.kind) + " came after the handshake");
  if (h.protocol != mesh::protocol_version)
    return fault("a frame of protocol version " + std::to_string(h.protocol) +
                 " came on a link of " + std::to_string(mesh::protocol_version));
  if (h.message_id == 0) return fault("a frame has no message id");
  return {};
}

error link::receive(mesh::lane l, mesh::frame_ptr f) {
  if (ended_) return {errc::cancelled, "the link has ended"};
  const auto& h = f->header;
  if (l == mesh::lane::bulk) bulk_arrivals_.note();
  if (auto wrong = check_header(l, h)) return wrong;
  if (is_credit_kind(h.kind)) return take_credit(*f);
  context_.counters.frames_received.fetch_add(1, std::memory_order_relaxed);
  context_.counters.bytes_received.fetch_add(f->wire_bytes(), std::memory_order_relaxed);
  f->claim = window(l).claim(f->wire_bytes());
  if (!f->claim)
    return {errc::limit_exceeded,
            "the peer broke the protocol: a frame of " + std::to_string(f->wire_bytes()) +
                " bytes goes beyond the window of " + std::to_string(window(l).bytes()) + " bytes"};
  const auto senders = senders_of(h.kind);
  if (who_.roles.has_any(senders))
    context_.events.on_frame(std::move(f));
  else
    refuse(f, senders);
  return {};
}

void link::refuse(const mesh::frame_ptr& f, mesh::role_set senders) {
  context_.counters.roles_refused.fetch_add(1, std::memory_order_relaxed);
  const error why{errc::refused, "node '" + who_.name + "' is " + to_string(who_.roles) +
                                     " and may not send a message of kind " +
                                     std::to_string(f->header.kind) + ", which is for " +
                                     to_string(senders)};
  // The first, the tenth, the hundredth ...: a peer cannot fill the log.
  if (++refusals_ == next_logged_refusal_) {
    next_logged_refusal_ *= 10;
    context_.log(why.text + " (" + std::to_string(refusals_) + " refused so far)");
  }
  context_.events.on_refused(f, why);
}

error link::take_credit(const mesh::frame& f) {
  if (f.header.lane != mesh::lane::control) return fault("a Credit came on the bulk lane");
  const auto credit = read_credit(f);
  if (!credit) return credit.failure();
  switch (queues_->at(credit->lane).credit(credit->freed_bytes, credit->window_bytes)) {
  case send_queue::credited::noted:
    return {};
  case send_queue::credited::wake_writer:
    wake_writer(credit->lane);
    return {};
  case send_queue::credited::impossible:
    return fault("it has freed " + std::to_string(credit->freed_bytes) +
                 " bytes, more than it was sent");
  }
  return {};
}

void link::grant(mesh::lane l) {
  auto& w = window(l);
  const auto queued =
      queues_->control.push_link_frame(make_credit(context_.own, {l, w.tell(), w.bytes()}));
  if (queued == send_queue::pushed::wake_writer) wake_writer(mesh::lane::control);
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
    // What waits for credit is written when it comes.
    if (finishing_ && queues_->at(l).bytes() == 0) at(l).shutdown_write();
    return kj::READY_NOW;
  }
  std::size_t bytes = 0;
  std::size_t counted_bytes = 0; // without the link's own frames
  std::size_t counted_frames = 0;
  for (const auto& f : batch) {
    bytes += f->wire_bytes();
    if (is_credit_kind(f->header.kind)) continue;
    counted_bytes += f->wire_bytes();
    ++counted_frames;
  }
  return at(l).write(std::move(batch)).then([this, l, bytes, counted_bytes, counted_frames] {
    queues_->at(l).written(bytes);
    context_.counters.frames_sent.fetch_add(counted_frames, std::memory_order_relaxed);
    context_.counters.bytes_sent.fetch_add(counted_bytes, std::memory_order_relaxed);
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
