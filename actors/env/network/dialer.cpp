#include "actors/env/network/dialer.hpp"

#include "actors/env/network/shared_memory/handover.hpp"
#include "actors/env/network/tcp.hpp"

namespace gradmesh::env {
namespace {

using descriptors = kj::LowLevelAsyncIoProvider;
constexpr auto owned_socket =
    descriptors::TAKE_OWNERSHIP | descriptors::ALREADY_CLOEXEC | descriptors::ALREADY_NONBLOCK;

constexpr const char* no_tls_hint =
    " (if its mesh uses no TLS, this node can have no [tls] either)";
constexpr const char* tls_hint = " (if its mesh uses TLS, this node needs a certificate too)";

error unreachable(const config::endpoint& to, const std::string& why) {
  return {errc::unreachable, "cannot reach " + config::to_string(to) + ": " + why +
                                 "; is a node running and listening there?"};
}

error late(const config::endpoint& to, const std::string& what, std::chrono::milliseconds limit) {
  return {errc::timed_out, config::to_string(to) + " " + what + " within " +
                               std::to_string(limit.count()) +
                               " ms; check the address, the network and the node's log"};
}

} // namespace

void dialer::dial(const config::endpoint& to) {
  tasks_.add(dial_lanes(to)
                 .catch_([this, to](kj::Exception&& e) { return cannot_use(to, e); })
                 .then([this, to](error why) {
                   if (why) context_.events.on_connect_failed(to, why);
                 }));
}

kj::Promise<error> dialer::dial_lanes(config::endpoint to) {
  return dial_lane(to, mesh::lane::control).then([this, to](dialled control) -> kj::Promise<error> {
    if (!control) return control.failure();
    const auto& answer = control->answer;
    const auto ticket = peers_.claim({answer.identity, answer.node_name, answer.roles, to});
    if (!ticket) return ticket.failure();
    auto bulk = kj::evalNow([&] {
                  return dial_bulk(to, answer);
                }).catch_([this, to](kj::Exception&& e) { return dialled(cannot_use(to, e)); });
    return bulk.then(
        [this, to, t = *ticket, control = *std::move(control)](dialled opened) mutable {
          auto failed = bring_up(t, to, kj::mv(control), kj::mv(opened));
          if (failed) peers_.abandon(t);
          return failed;
        });
  });
}

kj::Promise<dialer::dialled> dialer::dial_bulk(const config::endpoint& to, const welcome& control) {
  const auto& offer = control.offer;
  if (!context_.options.shared_memory || offer.socket.empty() ||
      without_memory_.contains(config::to_string(to)))
    return dial_lane(to, mesh::lane::bulk);
  auto socket = shm::connect_to(offer.socket);
  const auto ours = socket ? shm::check_same_user(socket->get()) : result<void>(socket.failure());
  if (!ours) {
    context_.log("no shared memory with " + config::to_string(to) + ": " + ours.failure().text);
    return dial_lane(to, mesh::lane::bulk);
  }
  return context_
      .within(context_.options.handshake_timeout,
              late(to, "did not answer the Hello on its local socket",
                   context_.options.handshake_timeout),
              share_memory(kj::mv(*socket), to, offer.ticket))
      .then([this, to](dialled outcome) {
        // The listener counts on the local socket now; the next attempt goes without.
        if (!outcome) without_memory_.insert(config::to_string(to));
        return outcome;
      });
}

kj::Promise<dialer::dialled> dialer::share_memory(kj::AutoCloseFd socket,
                                                  const config::endpoint& to,
                                                  const local_ticket& ticket) {
  auto stream = context_.descriptors.wrapUnixSocketFd(socket.release(), owned_socket);
  auto& capable = *stream;
  return shake_hands(connection::without_tls(kj::mv(stream)), to, mesh::lane::bulk, &ticket)
      .then([this, to, &capable](dialled opened) -> kj::Promise<dialled> {
        if (!opened) return opened;
        auto memory = shm::memory::create();
        if (!memory) return dialled(memory.failure());
        auto sent = shm::send_memory(capable, **memory);
        return sent.then([this, opened = *kj::mv(opened),
                          memory = *memory](result<void> taken) mutable -> dialled {
          if (!taken) return taken.failure();
          auto& c = *opened.stream;
          auto channel = shm::channel::open(kj::mv(c.stream), memory, 0, context_.spin);
          if (!channel) return channel.failure();
          c.shared = *kj::mv(channel);
          return kj::mv(opened);
        });
      })
      .catch_([this, to](kj::Exception&& e) { return dialled(cannot_use(to, e)); });
}

error dialer::bring_up(peer_table::ticket t, const config::endpoint& to, open_connection control,
                       dialled bulk) {
  if (!bulk) return bulk.failure();
  // What its certificate says on one lane must not go for another node's frames on the other.
  if (bulk->answer.identity != control.answer.identity ||
      bulk->answer.node_name != control.answer.node_name ||
      bulk->answer.roles != control.answer.roles)
    return {errc::incompatible_peer, config::to_string(to) +
                                         " answered as two different nodes; was it restarted, or "
                                         "does a proxy stand in front of several?"};
  if (!peers_.open_lane(t, mesh::lane::control, kj::mv(control.stream)) ||
      !peers_.open_lane(t, mesh::lane::bulk, kj::mv(bulk->stream)))
    return {errc::refused, "the link to " + config::to_string(to) +
                               " was given up for another one to the same node"};
  return {};
}

kj::Promise<dialer::dialled> dialer::dial_lane(const config::endpoint& to, mesh::lane l) {
  return context_
      .within(context_.options.connect_timeout,
              late(to, "did not accept the connection", context_.options.connect_timeout),
              connect(to))
      .then([this, to, l](result<kj::Own<kj::AsyncIoStream>> stream) -> kj::Promise<dialled> {
        if (!stream) return dialled(stream.failure());
        auto secured_and_greeted =
            secure(*kj::mv(stream), to)
                .then([this, to, l](result<kj::Own<connection>> c) -> kj::Promise<dialled> {
                  if (!c) return dialled(c.failure());
                  return shake_hands(*kj::mv(c), to, l);
                });
        return context_.within(
            context_.options.handshake_timeout,
            late(to, "did not answer the Hello", context_.options.handshake_timeout),
            kj::mv(secured_and_greeted));
      });
}

kj::Promise<kj::Own<kj::AsyncIoStream>> dialer::open_stream(const config::endpoint& to) {
  if (auto local = open_loopback(to)) {
    const auto* address = reinterpret_cast<const sockaddr*>(&local->address);
    return context_.descriptors.wrapConnectingSocketFd(local->descriptor.release(), address,
                                                       local->address_bytes, owned_socket);
  }
  return context_.io.getNetwork()
      .parseAddress(to.host.c_str(), to.port)
      .then([](kj::Own<kj::NetworkAddress> address) {
        auto connecting = address->connect();
        return connecting.attach(kj::mv(address));
      });
}

kj::Promise<result<kj::Own<kj::AsyncIoStream>>> dialer::connect(const config::endpoint& to) {
  using connected = result<kj::Own<kj::AsyncIoStream>>;
  return open_stream(to)
      .then([](kj::Own<kj::AsyncIoStream> stream) {
        set_link_options(*stream);
        return connected(kj::mv(stream));
      })
      .catch_([to](kj::Exception&& e) { return connected(unreachable(to, reason_of(e))); });
}

kj::Promise<result<kj::Own<connection>>> dialer::secure(kj::Own<kj::AsyncIoStream> stream,
                                                        const config::endpoint& to) {
  using secured = result<kj::Own<connection>>;
  if (!context_.options.tls) return secured(connection::without_tls(kj::mv(stream)));
  return context_.options.tls
      ->connect(context_.port, kj::mv(stream), config::to_string(to), to.host)
      .then([to](result<tls_connection> done) -> secured {
        if (!done && done.failure().code == errc::node_lost)
          return unreachable(to, done.failure().text + no_tls_hint);
        if (!done) return done.failure();
        auto c = kj::heap<connection>(kj::mv(done->stream));
        c->certified = std::move(done->peer);
        return c;
      });
}

kj::Promise<dialer::dialled> dialer::shake_hands(kj::Own<connection> c, const config::endpoint& to,
                                                 mesh::lane l, const local_ticket* ticket) {
  auto& lane = *c;
  // A broken connection can show at once, by an exception instead of a promise that fails.
  return kj::evalNow([&] { return lane.writer.write({make_hello(context_.own, l, ticket)}); })
      // A listener that refuses without reading may have closed already; its answer tells why.
      .catch_([](kj::Exception&&) {})
      .then([&lane] {
        return lane.reader.read_one({hello_bytes_max, 0});
      })
      .then([this, to, c = kj::mv(c)](result<mesh::frame_ptr> f) mutable -> dialled {
        if (!f && f.failure().code == errc::node_lost)
          return unreachable(to, f.failure().text + " instead of answering the Hello" +
                                     (context_.options.tls ? "" : tls_hint));
        if (!f)
          return {errc::incompatible_peer,
                  config::to_string(to) + " does not speak the Gradmesh protocol: " +
                      f.failure().text + (context_.options.tls ? "" : tls_hint)};
        auto answer = read_answer(**f);
        if (!answer)
          return {answer.failure().code,
                  config::to_string(to) + " refused the connection: " + answer.failure().text};
        const auto [lowest, highest] = context_.own.protocols;
        if (answer->protocol < lowest || answer->protocol > highest)
          return {errc::incompatible_peer, config::to_string(to) + " chose protocol version " +
                                               std::to_string(answer->protocol) +
                                               ", which this node did not offer"};
        if (c->certified) {
          const peer who{answer->identity, answer->node_name, answer->roles, to};
          if (auto fits = check_certified(who, *c->certified); !fits) return fits.failure();
        }
        return open_connection{kj::mv(c), *std::move(answer)};
      })
      .catch_([this, to](kj::Exception&& e) { return dialled(cannot_use(to, e)); });
}

error dialer::cannot_use(const config::endpoint& to, const kj::Exception& e) const {
  // With TLS 1.3 the listener's verdict on our certificate comes with the first read.
  if (context_.options.tls && e.getType() == kj::Exception::Type::FAILED)
    return {errc::refused, config::to_string(to) + " refused the connection: " + reason_of(e)};
  return unreachable(to, reason_of(e));
}

void dialer::taskFailed(kj::Exception&& e) {
  context_.log("dialling failed: " + reason_of(e));
}

} // namespace gradmesh::env
