#include "actors/env/network/listener.hpp"

#include "actors/env/network/tcp.hpp"

namespace gradmesh::env {
namespace {

/// How long to wait when the system cannot take a connection (no descriptors left).
constexpr std::chrono::milliseconds accept_retry{100};

} // namespace

void listener::serve(kj::AutoCloseFd socket) {
  using descriptors = kj::LowLevelAsyncIoProvider;
  const auto flags =
      descriptors::TAKE_OWNERSHIP | descriptors::ALREADY_CLOEXEC | descriptors::ALREADY_NONBLOCK;
  auto receiver = context_.descriptors.wrapListenSocketFd(socket.release(), flags);
  auto accepting = accept_on(*receiver);
  tasks_.add(accepting.attach(kj::mv(receiver)));
}

kj::Promise<void> listener::accept_on(kj::ConnectionReceiver& receiver) {
  return receiver.accept()
      .then([this](kj::Own<kj::AsyncIoStream> stream) { greet(kj::mv(stream)); })
      .catch_([this](kj::Exception&& e) {
        context_.log("cannot take a connection: " + reason_of(e));
        return context_.after(accept_retry);
      })
      .then([this, &receiver] { return accept_on(receiver); });
}

void listener::greet(kj::Own<kj::AsyncIoStream> stream) {
  const auto remote = remote_of(*stream);
  auto c = kj::heap<connection>(kj::mv(stream));
  auto evicted = kj::newPromiseAndFulfiller<void>();
  c->half_open_place = context_.strangers.add();
  c->half_open_place->on_eviction(
      [fulfiller = kj::mv(evicted.fulfiller)]() mutable { fulfiller->fulfill(); });
  set_link_options(*c->stream);

  auto& reader = c->reader;
  auto handshake = reader.read_one({hello_bytes_max, 0})
                       .then([this, remote, c = kj::mv(c)](result<mesh::frame_ptr> f) mutable {
                         return answer(kj::mv(c), remote, std::move(f));
                       })
                       .catch_([this, remote](kj::Exception&& e) { reject(remote, reason_of(e)); });
  const auto limit = context_.options.handshake_timeout;
  auto late = context_.after(limit).then([this, remote, limit] {
    reject(remote, "no Hello within " + std::to_string(limit.count()) + " ms");
  });
  auto displaced = evicted.promise.then(
      [this, remote]() -> kj::Promise<void> {
        reject(remote, "more than " + std::to_string(context_.options.half_open_max) +
                           " connections have not finished the handshake, and this was the oldest");
        return kj::READY_NOW;
      },
      [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; }); // past this stage
  tasks_.add(handshake.exclusiveJoin(kj::mv(late)).exclusiveJoin(kj::mv(displaced)));
}

kj::Promise<void> listener::answer(kj::Own<connection> c, config::endpoint remote,
                                   result<mesh::frame_ptr> first) {
  if (!first) {
    reject(remote, first.failure().text);
    return kj::READY_NOW;
  }
  const auto dialer = read_hello(**first);
  if (!dialer) {
    reject(remote, dialer.failure().text);
    return kj::READY_NOW;
  }
  const auto lane = (*first)->header.lane;
  const auto protocol = agree(context_.own, *dialer);
  if (!protocol) return refuse(kj::mv(c), remote, lane, protocol.failure());
  return welcome(kj::mv(c), {dialer->identity, dialer->node_name, remote}, lane, *protocol);
}

kj::Promise<void> listener::welcome(kj::Own<connection> c, peer who, mesh::lane l,
                                    std::uint16_t protocol) {
  const auto ticket = peers_.accept(who.identity, l);
  if (!ticket) return refuse(kj::mv(c), who.remote, l, ticket.failure());
  c->half_open_place->on_eviction([this, t = *ticket] { peers_.abandon(t); });
  auto& writer = c->writer;
  return writer.write({make_welcome(context_.own, l, protocol)})
      .then([this, t = *ticket, l, who, c = kj::mv(c)]() mutable {
        peers_.open_lane(t, l, kj::mv(c), who); // a stale ticket: replaced or expired meanwhile
      })
      .catch_([this, t = *ticket, remote = who.remote](kj::Exception&& e) {
        peers_.abandon(t);
        reject(remote, reason_of(e));
      });
}

kj::Promise<void> listener::refuse(kj::Own<connection> c, const config::endpoint& remote,
                                   mesh::lane l, const error& why) {
  context_.log("refused " + config::to_string(remote) + ": " + why.text);
  auto& writer = c->writer;
  return writer.write({make_refuse(context_.own, l, why)}).attach(kj::mv(c));
}

void listener::reject(const config::endpoint& remote, const std::string& why) {
  context_.counters.frames_refused.fetch_add(1, std::memory_order_relaxed);
  context_.log("closed a connection from " + config::to_string(remote) + ": " + why);
}

void listener::taskFailed(kj::Exception&& e) {
  context_.log("a connection failed in the handshake: " + reason_of(e));
}

} // namespace gradmesh::env
