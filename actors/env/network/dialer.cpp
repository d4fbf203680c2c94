#include "actors/env/network/dialer.hpp"

#include "actors/env/network/tcp.hpp"

namespace gradmesh::env {
namespace {

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
  tasks_.add(dial_lanes(to).then([this, to](error why) {
    if (why) context_.events.on_connect_failed(to, why);
  }));
}

kj::Promise<error> dialer::dial_lanes(config::endpoint to) {
  return dial_lane(to, mesh::lane::control).then([this, to](dialled control) -> kj::Promise<error> {
    if (!control) return control.failure();
    const auto ticket = peers_.claim(control->answer.identity);
    if (!ticket) return ticket.failure();
    return dial_lane(to, mesh::lane::bulk)
        .then([this, to, t = *ticket, control = *std::move(control)](dialled bulk) mutable {
          auto failed = bring_up(t, to, kj::mv(control), kj::mv(bulk));
          if (failed) peers_.abandon(t);
          return failed;
        });
  });
}

error dialer::bring_up(peer_table::ticket t, const config::endpoint& to, open_connection control,
                       dialled bulk) {
  if (!bulk) return bulk.failure();
  const auto& answer = control.answer;
  if (bulk->answer.identity != answer.identity)
    return {errc::incompatible_peer, config::to_string(to) +
                                         " answered as two different nodes; was it restarted, or "
                                         "does a proxy stand in front of several?"};
  const peer who{answer.identity, answer.node_name, to};
  if (!peers_.open_lane(t, mesh::lane::control, kj::mv(control.stream), who) ||
      !peers_.open_lane(t, mesh::lane::bulk, kj::mv(bulk->stream), who))
    return {errc::refused, "the link to " + config::to_string(to) +
                               " was given up for another one to the same node"};
  return {};
}

kj::Promise<dialer::dialled> dialer::dial_lane(const config::endpoint& to, mesh::lane l) {
  return context_
      .within(context_.options.connect_timeout,
              late(to, "did not accept the connection", context_.options.connect_timeout),
              connect(to))
      .then([this, to, l](result<kj::Own<connection>> c) -> kj::Promise<dialled> {
        if (!c) return dialled(c.failure());
        return context_.within(
            context_.options.handshake_timeout,
            late(to, "did not answer the Hello", context_.options.handshake_timeout),
            shake_hands(*kj::mv(c), to, l));
      });
}

kj::Promise<result<kj::Own<connection>>> dialer::connect(const config::endpoint& to) {
  using connected = result<kj::Own<connection>>;
  return context_.io.getNetwork()
      .parseAddress(to.host.c_str(), to.port)
      .then([](kj::Own<kj::NetworkAddress> address) {
        auto connecting = address->connect();
        return connecting.attach(kj::mv(address));
      })
      .then([](kj::Own<kj::AsyncIoStream> stream) {
        set_link_options(*stream);
        return connected(kj::heap<connection>(kj::mv(stream)));
      })
      .catch_([to](kj::Exception&& e) { return connected(unreachable(to, reason_of(e))); });
}

kj::Promise<dialer::dialled> dialer::shake_hands(kj::Own<connection> c, const config::endpoint& to,
                                                 mesh::lane l) {
  auto& lane = *c;
  return lane.writer
      .write({make_hello(context_.own, l)})
      // A listener that refuses without reading may have closed already; its answer tells why.
      .catch_([](kj::Exception&&) {})
      .then([&lane] {
        return lane.reader.read_one({hello_bytes_max, 0});
      })
      .then([this, to, c = kj::mv(c)](result<mesh::frame_ptr> f) mutable -> dialled {
        if (!f && f.failure().code == errc::node_lost)
          return unreachable(to, f.failure().text + " instead of answering the Hello");
        if (!f)
          return {errc::incompatible_peer,
                  config::to_string(to) +
                      " does not speak the Gradmesh protocol: " + f.failure().text};
        auto answer = read_answer(**f);
        if (!answer)
          return {answer.failure().code,
                  config::to_string(to) + " refused the connection: " + answer.failure().text};
        const auto [lowest, highest] = context_.own.protocols;
        if (answer->protocol < lowest || answer->protocol > highest)
          return {errc::incompatible_peer, config::to_string(to) + " chose protocol version " +
                                               std::to_string(answer->protocol) +
                                               ", which this node did not offer"};
        return open_connection{kj::mv(c), *std::move(answer)};
      })
      .catch_([to](kj::Exception&& e) { return dialled(unreachable(to, reason_of(e))); });
}

void dialer::taskFailed(kj::Exception&& e) {
  context_.log("dialling failed: " + reason_of(e));
}

} // namespace gradmesh::env
