/// What links say of themselves: Hello, the answers to it, and Credit.

#include "tests/fuzz/target.hpp"

#include "actors/env/network/handshake.hpp"
#include "schema/message.capnp.h"

#include <cstring>

namespace gradmesh::fuzz {
namespace {

using kind = schema::MessageKind;

const env::greeting own{.identity = {{9}, 1},
                        .protocols = {1, 3},
                        .cluster = "gradmesh",
                        .node_name = "listener",
                        .roles = {mesh::role::server},
                        .host = "host"};
const env::local_ticket ticket{std::byte{1}, std::byte{2}};

void check_shown(const std::string& text, std::size_t bytes_max) {
  promise(text.size() <= bytes_max, "a text of the handshake is within its limit");
  promise(can_be_shown(text), "a text of the handshake can be shown");
}

result<void> read_as_hello(const mesh::frame& f) {
  const auto hello = env::read_hello(f);
  if (!hello) return hello.failure();
  const auto& from = hello->of;
  check_shown(from.cluster, 255);
  check_shown(from.node_name, 255);
  promise(from.protocols.min <= from.protocols.max, "a range of versions is not empty");
  const auto version = env::agree(own, from);
  if (version)
    promise(*version >= own.protocols.min && *version <= own.protocols.max,
            "a version agreed on is one of the listener's");
  else
    check_shown(version.failure().text, 2048);
  const env::tls_peer certified{"gradmesh", "listener", {mesh::role::server}};
  const auto fits =
      env::check_certified({from.identity, from.node_name, from.roles, {}}, certified);
  promise(!fits || (from.node_name == certified.node_name && certified.roles.has_all(from.roles)),
          "a certified peer is who its certificate says and no more");
  return {};
}

result<void> read_as_answer(const mesh::frame& f) {
  const auto answer = env::read_answer(f);
  if (!answer) {
    promise(answer.failure().code != errc::none, "a refusal has a code");
    return answer.failure();
  }
  check_shown(answer->node_name, 255);
  promise(answer->offer.socket.size() < 108, "the name of a local socket fits into an address");
  return {};
}

result<void> read_as_credit(const mesh::frame& f) {
  const auto credit = env::read_credit(f);
  if (!credit) return credit.failure();
  promise(static_cast<std::size_t>(credit->lane) < mesh::lane_count, "a credit is for a lane");
  return {};
}

/// A Refuse that was understood is an error too, of the kind that it says.
bool is_taken(const mesh::frame& f, const result<void>& read) {
  if (read) return true;
  check_shown(read.failure().text, 4096);
  return f.header.kind == static_cast<std::uint16_t>(kind::REFUSE) &&
         read.failure().code != errc::malformed_message;
}

/// An input: kind, protocol version, metadata.
std::string input_of(const mesh::frame_ptr& f) {
  std::string input;
  for (const auto number : {f->header.kind, f->header.protocol}) {
    input += static_cast<char>(number & 0xff);
    input += static_cast<char>(number >> 8);
  }
  return input +
         std::string(reinterpret_cast<const char*>(f->metadata.data()), f->header.metadata_bytes);
}

} // namespace

std::vector<std::string> seeds() {
  const auto lane = mesh::lane::bulk;
  auto wide = own;
  wide.cluster = std::string(255, 'c');
  wide.node_name = "name with \x1b[31m colour";
  return {input_of(env::make_hello(own, lane)),
          input_of(env::make_hello(own, lane, &ticket)),
          input_of(env::make_hello(wide, lane)),
          input_of(env::make_welcome(own, lane, 2)),
          input_of(env::make_welcome(own, lane, 2, {"gradmesh-socket", ticket})),
          input_of(env::make_refuse(own, lane, {errc::incompatible_peer, "another cluster"})),
          input_of(env::make_credit(own, {lane, 1000, 64u << 20}))};
}

bool accepts(std::string_view input) {
  options_reader in(input);
  mesh::frame f;
  f.header.kind = in.two_bytes();
  f.header.protocol = in.two_bytes();
  f.header.from = {{7}, 2};
  f.metadata.resize(in.rest().size() / sizeof(std::uint64_t));
  f.header.metadata_bytes = static_cast<std::uint32_t>(f.metadata.size() * sizeof(std::uint64_t));
  if (!f.metadata.empty())
    std::memcpy(f.metadata.data(), in.rest().data(), f.header.metadata_bytes);
  if (env::is_credit_kind(f.header.kind)) return is_taken(f, read_as_credit(f));
  // The dialer and the listener read whatever comes first as what they wait for.
  const bool hello = is_taken(f, read_as_hello(f));
  const bool answer = is_taken(f, read_as_answer(f));
  promise(!(hello && answer) || f.header.kind == static_cast<std::uint16_t>(kind::REFUSE),
          "no frame is a Hello and an answer to one");
  return hello || answer;
}

} // namespace gradmesh::fuzz
