#include "actors/env/network/listener.hpp"

#include "actors/env/network/shared_memory/handover.hpp"
#include "actors/env/network/tcp.hpp"

#include <random>

namespace gradmesh::env {
namespace {

/// How long to wait when the system cannot take a connection (no descriptors left).
constexpr std::chrono::milliseconds accept_retry{100};

void fill_randomly(local_ticket& ticket) {
  std::random_device random;
  for (auto& b : ticket)
    b = static_cast<std::byte>(random());
}

std::string hex(const local_ticket& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const auto b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

} // namespace

void listener::serve(kj::AutoCloseFd socket) {
  take_from(kj::mv(socket), door::network);
}

void listener::serve_local() {
  if (!context_.options.shared_memory || context_.own.host.empty()) return;
  local_ticket random;
  fill_randomly(random);
  const auto name = "gradmesh-" + hex(random);
  auto socket = shm::listen_at(name);
  if (!socket)
    return context_.log("no shared memory for nodes on this host: " + socket.failure().text);
  context_.local_socket = name;
  take_from(kj::mv(*socket), door::local);
}

void listener::take_from(kj::AutoCloseFd socket, door through) {
  using descriptors = kj::LowLevelAsyncIoProvider;
  const auto flags =
      descriptors::TAKE_OWNERSHIP | descriptors::ALREADY_CLOEXEC | descriptors::ALREADY_NONBLOCK;
  auto receiver = context_.descriptors.wrapListenSocketFd(socket.release(), flags);
  auto accepting = accept_on(*receiver, through);
  tasks_.add(accepting.attach(kj::mv(receiver)));
}

kj::Promise<void> listener::accept_on(kj::ConnectionReceiver& receiver, door through) {
  return receiver.accept()
      .then([this, through](kj::Own<kj::AsyncIoStream> stream) { greet(kj::mv(stream), through); })
      .catch_([this](kj::Exception&& e) {
        context_.log("cannot take a connection: " + reason_of(e));
        return context_.after(accept_retry);
      })
      .then([this, &receiver, through] { return accept_on(receiver, through); });
}

void listener::greet(kj::Own<kj::AsyncIoStream> stream, door through) {
  const auto remote =
      through == door::local ? config::endpoint{"this host", 0} : remote_of(*stream);
  auto evicted = kj::newPromiseAndFulfiller<void>();
  auto place = context_.strangers.add();
  place->on_eviction([fulfiller = kj::mv(evicted.fulfiller)]() mutable { fulfiller->fulfill(); });

  const auto limit = context_.options.handshake_timeout;
  const auto deadline = context_.timer.now() + limit.count() * kj::MILLISECONDS;
  auto handshake =
      secure(kj::mv(stream), remote, through)
          .then([this, remote, through, deadline, place = std::move(place)](
                    result<kj::Own<connection>> secured) mutable -> kj::Promise<void> {
            if (!secured) {
              reject(remote, secured.failure().text);
              return kj::READY_NOW;
            }
            auto c = *kj::mv(secured);
            c->half_open_place = std::move(place);
            c->deadline = deadline;
            auto& reader = c->reader;
            return reader.read_one({hello_bytes_max, 0})
                .then([this, remote, through, c = kj::mv(c)](result<mesh::frame_ptr> f) mutable {
                  return answer(kj::mv(c), remote, through, std::move(f));
                });
          })
          .catch_([this, remote](kj::Exception&& e) { reject(remote, reason_of(e)); });
  auto late = context_.timer.atTime(deadline).then([this, remote, limit] {
    reject(remote, "no Hello within " + std::to_string(limit.count()) + " ms");
  });
  auto displaced = evicted.promise.then(
      [this, remote]() -> kj::Promise<void> {
        reject_displaced(remote);
        return kj::READY_NOW;
      },
      [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; }); // past this stage
  tasks_.add(handshake.exclusiveJoin(kj::mv(late)).exclusiveJoin(kj::mv(displaced)));
}

kj::Promise<result<kj::Own<connection>>>
listener::secure(kj::Own<kj::AsyncIoStream> stream, const config::endpoint& remote, door through) {
  using secured = result<kj::Own<connection>>;
  if (through == door::local) {
    int descriptor = -1;
    KJ_IF_MAYBE (fd, stream->getFd()) descriptor = *fd;
    if (auto ours = shm::check_same_user(descriptor); !ours) return secured(ours.failure());
    return secured(connection::without_tls(kj::mv(stream)));
  }
  set_link_options(*stream);
  if (!context_.options.tls) return secured(connection::without_tls(kj::mv(stream)));
  return context_.options.tls->accept(context_.port, kj::mv(stream), config::to_string(remote))
      .then([](result<tls_connection> done) -> secured {
        if (!done) return done.failure();
        auto c = kj::heap<connection>(kj::mv(done->stream));
        c->certified = std::move(done->peer);
        return c;
      });
}

kj::Promise<void> listener::answer(kj::Own<connection> c, config::endpoint remote, door through,
                                   result<mesh::frame_ptr> first) {
  if (!first) {
    reject(remote, first.failure().text);
    return kj::READY_NOW;
  }
  const auto said = read_hello(**first);
  if (!said) {
    reject(remote, said.failure().text);
    return kj::READY_NOW;
  }
  const auto& dialer = said->of;
  const auto lane = (*first)->header.lane;
  const auto protocol = agree(context_.own, dialer);
  if (!protocol) return refuse(kj::mv(c), remote, lane, protocol.failure());
  const peer who{dialer.identity, dialer.node_name, dialer.roles, remote};
  if (c->certified)
    if (auto fits = check_certified(who, *c->certified); !fits)
      return refuse(kj::mv(c), remote, lane, fits.failure());
  return welcome(kj::mv(c), who, *said, lane, *protocol, through);
}

kj::Promise<void> listener::welcome(kj::Own<connection> c, const peer& who, const hello& said,
                                    mesh::lane l, std::uint16_t protocol, door through) {
  // On the local socket a Hello without a ticket shows one of zeros, which nobody was given.
  const auto shown =
      through == door::local ? std::optional(said.ticket.value_or(local_ticket{})) : std::nullopt;
  const auto ticket = peers_.accept(who, l, c->deadline, shown);
  if (!ticket) return refuse(kj::mv(c), who.remote, l, ticket.failure());
  c->half_open_place->on_eviction([this, t = *ticket, remote = who.remote] {
    peers_.abandon(t);
    reject_displaced(remote);
  });
  local_offer offer;
  if (l == mesh::lane::control && !context_.local_socket.empty() &&
      said.of.host == context_.own.host) {
    offer.socket = context_.local_socket;
    fill_randomly(offer.ticket);
    peers_.expect_local(*ticket, offer.ticket);
  }
  auto& writer = c->writer;
  return kj::evalNow([&] { return writer.write({make_welcome(context_.own, l, protocol, offer)}); })
      .then([this, through, c = kj::mv(c)]() mutable {
        return through == door::local ? receive_shared_memory(kj::mv(c))
                                      : kj::Promise<result<kj::Own<connection>>>(
                                            result<kj::Own<connection>>(kj::mv(c)));
      })
      .then([this, t = *ticket, l, remote = who.remote](result<kj::Own<connection>> opened) {
        if (opened) {
          peers_.open_lane(t, l, *kj::mv(opened)); // a stale ticket: replaced or expired meanwhile
        } else {
          peers_.abandon(t);
          reject(remote, opened.failure().text);
        }
      })
      .catch_([this, t = *ticket, remote = who.remote](kj::Exception&& e) {
        peers_.abandon(t);
        reject(remote, reason_of(e));
      });
}

kj::Promise<result<kj::Own<connection>>> listener::receive_shared_memory(kj::Own<connection> c) {
  using opened = result<kj::Own<connection>>;
  auto* socket = dynamic_cast<kj::AsyncCapabilityStream*>(c->stream.get());
  if (!socket) return opened(errc::io_failed, "the local socket passes no descriptors");
  return shm::receive_memory(*socket).then(
      [this, c = kj::mv(c)](result<std::shared_ptr<shm::memory>> memory) mutable -> opened {
        if (!memory) return memory.failure();
        auto channel = shm::channel::open(kj::mv(c->stream), *memory, 1, context_.spin);
        if (!channel) return channel.failure();
        c->shared = *kj::mv(channel);
        return kj::mv(c);
      });
}

kj::Promise<void> listener::refuse(kj::Own<connection> c, const config::endpoint& remote,
                                   mesh::lane l, const error& why) {
  context_.counters.frames_refused.fetch_add(1, std::memory_order_relaxed);
  context_.log("refused " + config::to_string(remote) + ": " + why.text);
  auto& writer = c->writer;
  return writer.write({make_refuse(context_.own, l, why)}).attach(kj::mv(c));
}

void listener::reject(const config::endpoint& remote, const std::string& why) {
  context_.counters.frames_refused.fetch_add(1, std::memory_order_relaxed);
  context_.log("closed a connection from " + config::to_string(remote) + ": " + why);
}

void listener::reject_displaced(const config::endpoint& remote) {
  reject(remote, "more than " + std::to_string(context_.options.half_open_max) +
                     " connections have not finished the handshake, and this was the oldest");
}

void listener::taskFailed(kj::Exception&& e) {
  context_.log("a connection failed in the handshake: " + reason_of(e));
}

} // namespace gradmesh::env
