#include "actors/env/network/handshake.hpp"

#include "actors/env/network/shared_memory/handover.hpp"

#include "schema/link.capnp.h"
#include "schema/message.capnp.h"

#include <capnp/message.h>
#include <capnp/schema.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>

namespace gradmesh::env {
namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t refusal_bytes_max = 1024;
constexpr std::size_t local_socket_bytes_max = 100;

std::uint16_t wire(schema::MessageKind kind) {
  return static_cast<std::uint16_t>(kind);
}

mesh::frame_ptr make_frame(const greeting& own, mesh::lane lane, std::uint16_t protocol,
                           schema::MessageKind kind, capnp::MessageBuilder& content) {
  const auto words = capnp::messageToFlatArray(content);
  auto f = std::make_shared<mesh::frame>();
  f->metadata.resize(words.size());
  std::memcpy(f->metadata.data(), words.begin(), words.asBytes().size());
  f->header.protocol = protocol;
  f->header.kind = wire(kind);
  f->header.lane = lane;
  f->header.metadata_bytes = static_cast<std::uint32_t>(words.asBytes().size());
  f->header.from = own.identity;
  f->header.message_id = 1;
  return f;
}

kj::ArrayPtr<const kj::byte> data_of(const local_ticket& ticket) {
  return {reinterpret_cast<const kj::byte*>(ticket.data()), ticket.size()};
}

std::optional<local_ticket> ticket_of(capnp::Data::Reader bytes) {
  local_ticket ticket;
  if (bytes.size() != ticket.size()) return std::nullopt;
  std::memcpy(ticket.data(), bytes.begin(), ticket.size());
  return ticket;
}

/// Roles as a peer wrote them; none is a node without a part, as far as the link can tell.
result<mesh::role_set> roles_of(capnp::Text::Reader text) {
  if (text.size() == 0) return mesh::role_set{};
  auto roles = mesh::parse_roles({text.begin(), std::min(text.size(), name_bytes_max)});
  if (!roles) return {errc::malformed_message, "handshake with roles that there are not"};
  return roles;
}

kj::StringPtr text_of(const std::string& s) {
  return {s.c_str(), s.size()};
}

/// At most `bytes_max` bytes, with everything that could disturb a terminal or a log replaced.
std::string printable(capnp::Text::Reader text, std::size_t bytes_max) {
  std::string out(text.begin(), std::min(text.size(), bytes_max));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

/// Reads a frame's metadata as a T; the one place where Cap'n Proto's exceptions end.
template <class T, class Read>
auto decode(const mesh::frame& f, Read read) -> decltype(read(typename T::Reader{})) {
  try {
    const auto* words = reinterpret_cast<const capnp::word*>(f.metadata.data());
    capnp::FlatArrayMessageReader message(kj::arrayPtr(words, f.metadata.size()));
    return read(message.getRoot<T>());
  } catch (const kj::Exception& e) {
    // The description can quote a byte of the message.
    return {errc::malformed_message, "link message that does not decode: " +
                                         printable(e.getDescription(), refusal_bytes_max)};
  }
}

std::string to_string(protocol_range r) {
  return std::to_string(r.min) + ".." + std::to_string(r.max);
}

} // namespace

greeting greeting_of(const network_options& options) {
  return {options.self,    options.protocols,
          options.cluster, options.node_name,
          options.roles,   options.shared_memory ? shm::this_host() : std::string()};
}

mesh::frame_ptr make_hello(const greeting& own, mesh::lane lane, const local_ticket* ticket) {
  capnp::MallocMessageBuilder content;
  auto hello = content.initRoot<schema::Hello>();
  hello.setProtocolMin(own.protocols.min);
  hello.setProtocolMax(own.protocols.max);
  hello.setCluster(text_of(own.cluster));
  hello.setNodeName(text_of(own.node_name));
  const auto roles = to_string(own.roles);
  hello.setRoles(text_of(roles));
  hello.setHost(text_of(own.host));
  if (ticket) hello.setTicket(data_of(*ticket));
  // In the lowest version, so that every listener that fits can read it.
  return make_frame(own, lane, own.protocols.min, schema::MessageKind::HELLO, content);
}

mesh::frame_ptr make_welcome(const greeting& own, mesh::lane lane, std::uint16_t protocol,
                             const local_offer& offer) {
  capnp::MallocMessageBuilder content;
  auto welcome = content.initRoot<schema::Welcome>();
  welcome.setProtocol(protocol);
  welcome.setNodeName(text_of(own.node_name));
  const auto roles = to_string(own.roles);
  welcome.setRoles(text_of(roles));
  if (!offer.socket.empty()) {
    welcome.setLocalSocket(text_of(offer.socket));
    welcome.setTicket(data_of(offer.ticket));
  }
  return make_frame(own, lane, protocol, schema::MessageKind::WELCOME, content);
}

mesh::frame_ptr make_refuse(const greeting& own, mesh::lane lane, const error& why) {
  capnp::MallocMessageBuilder content;
  auto refuse = content.initRoot<schema::Refuse>();
  refuse.setCode(static_cast<std::uint16_t>(why.code));
  refuse.setText(text_of(why.text));
  return make_frame(own, lane, own.protocols.min, schema::MessageKind::REFUSE, content);
}

result<hello> read_hello(const mesh::frame& f) {
  if (f.header.kind != wire(schema::MessageKind::HELLO))
    return {errc::malformed_message, "first frame of a connection is of kind " +
                                         std::to_string(f.header.kind) + " instead of a Hello"};
  return decode<schema::Hello>(f, [&](schema::Hello::Reader in) -> result<hello> {
    const auto cluster = in.getCluster();
    const auto name = in.getNodeName();
    const auto host = in.getHost();
    if (cluster.size() > name_bytes_max || name.size() > name_bytes_max ||
        host.size() > name_bytes_max)
      return {errc::malformed_message, "Hello with a name of more than 255 bytes"};
    const auto roles = roles_of(in.getRoles());
    if (!roles) return roles.failure();
    if (in.getProtocolMin() > in.getProtocolMax())
      return {errc::malformed_message, "Hello with an empty range of protocol versions"};
    protocol_range protocols{in.getProtocolMin(), in.getProtocolMax()};
    // A Hello comes in the lowest version of its sender. Where the two differ, the header is what
    // the sender really speaks.
    if (f.header.protocol != protocols.min) protocols = {f.header.protocol, f.header.protocol};
    return hello{{f.header.from, protocols, printable(cluster, name_bytes_max),
                  printable(name, name_bytes_max), *roles, std::string(host.begin(), host.size())},
                 ticket_of(in.getTicket())};
  });
}

result<welcome> read_answer(const mesh::frame& f) {
  if (f.header.kind == wire(schema::MessageKind::REFUSE))
    return decode<schema::Refuse>(f, [](schema::Refuse::Reader refuse) -> result<welcome> {
      const auto code = static_cast<errc>(refuse.getCode());
      const bool known = code != errc::none && gradmesh::to_string(code) != "unknown_error";
      return {known ? code : errc::refused, printable(refuse.getText(), refusal_bytes_max)};
    });
  if (f.header.kind != wire(schema::MessageKind::WELCOME))
    return {errc::malformed_message, "Hello was answered by a frame of kind " +
                                         std::to_string(f.header.kind) +
                                         " instead of Welcome or Refuse"};
  return decode<schema::Welcome>(f, [&](schema::Welcome::Reader content) -> result<welcome> {
    const auto name = content.getNodeName();
    if (name.size() > name_bytes_max)
      return {errc::malformed_message, "Welcome with a name of more than 255 bytes"};
    const auto roles = roles_of(content.getRoles());
    if (!roles) return roles.failure();
    welcome answer{
        f.header.from, content.getProtocol(), printable(name, name_bytes_max), *roles, {}};
    const auto ticket = ticket_of(content.getTicket());
    const auto socket = content.getLocalSocket();
    if (ticket && socket.size() <= local_socket_bytes_max)
      answer.offer = {std::string(socket.begin(), socket.size()), *ticket};
    return answer;
  });
}

result<void> check_certified(const peer& who, const tls_peer& certified) {
  if (who.name != certified.node_name)
    return {errc::refused, "the certificate is for node '" + certified.node_name +
                               "', but the node calls itself '" + who.name +
                               "'; node.name must be the name in the certificate"};
  if (!certified.roles.has_all(who.roles))
    return {errc::refused, "the certificate of node '" + who.name + "' allows the roles " +
                               to_string(certified.roles) + ", but the node wants to be " +
                               to_string(who.roles) + "; issue one with these roles"};
  return {};
}

result<std::uint16_t> agree(const greeting& listener, const greeting& dialer) {
  const auto lowest = std::max(listener.protocols.min, dialer.protocols.min);
  const auto highest = std::min(listener.protocols.max, dialer.protocols.max);
  if (lowest > highest)
    return {errc::incompatible_peer,
            "node '" + listener.node_name + "' speaks protocol versions " +
                to_string(listener.protocols) + ", node '" + dialer.node_name + "' speaks " +
                to_string(dialer.protocols) + "; run the same release of gradmesh on both"};
  if (listener.cluster != dialer.cluster)
    return {errc::incompatible_peer, "node '" + listener.node_name + "' belongs to cluster '" +
                                         listener.cluster + "', node '" + dialer.node_name +
                                         "' to '" + dialer.cluster +
                                         "'; check the cluster names and the address"};
  if (listener.identity.uuid == dialer.identity.uuid)
    return {errc::refused,
            "node '" + listener.node_name + "' (" + mesh::short_name(listener.identity.uuid) +
                ") was dialled by a node with its own uuid; give each node its own identity"};
  return highest;
}

error already_connected(const mesh::node_identity& held, const mesh::node_identity& offered) {
  return {errc::refused, "node " + mesh::short_name(held.uuid) + " is already connected with " +
                             "incarnation " + std::to_string(held.incarnation) +
                             "; the new connection has incarnation " +
                             std::to_string(offered.incarnation)};
}

error replaced_by(const mesh::node_identity& successor) {
  return {errc::node_lost, "node " + mesh::short_name(successor.uuid) +
                               " was restarted and is now incarnation " +
                               std::to_string(successor.incarnation)};
}

mesh::frame_ptr make_credit(const greeting& own, const lane_credit& credit) {
  capnp::MallocMessageBuilder content;
  auto out = content.initRoot<schema::Credit>();
  out.setLane(static_cast<std::uint8_t>(credit.lane));
  out.setFreedBytes(credit.freed_bytes);
  out.setWindowBytes(credit.window_bytes);
  return make_frame(own, mesh::lane::control, mesh::protocol_version, schema::MessageKind::CREDIT,
                    content);
}

result<lane_credit> read_credit(const mesh::frame& f) {
  return decode<schema::Credit>(f, [](schema::Credit::Reader in) -> result<lane_credit> {
    if (in.getLane() >= mesh::lane_count)
      return {errc::malformed_message,
              "Credit for lane " + std::to_string(in.getLane()) + ", which there is not"};
    return lane_credit{static_cast<mesh::lane>(in.getLane()), in.getFreedBytes(),
                       in.getWindowBytes()};
  });
}

bool is_handshake_kind(std::uint16_t kind) {
  return kind <= wire(schema::MessageKind::REFUSE);
}

bool is_credit_kind(std::uint16_t kind) {
  return kind == wire(schema::MessageKind::CREDIT);
}

bool is_known_kind(std::uint16_t kind) {
  static const auto count = capnp::Schema::from<schema::MessageKind>().getEnumerants().size();
  return kind < count;
}

} // namespace gradmesh::env
