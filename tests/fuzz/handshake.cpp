/// What a stranger says first: Hello, and the answers to it.

#include "tests/fuzz/target.hpp"

#include "actors/env/network/handshake.hpp"
#include "schema/message.capnp.h"

#include <cstring>

namespace gradmesh::fuzz {
namespace {

const env::greeting own{{{9}, 1}, {1, 3}, "gradmesh", "listener"};

void check_shown(const std::string& text, std::size_t bytes_max) {
  promise(text.size() <= bytes_max, "a text of the handshake is within its limit");
  promise(can_be_shown(text), "a text of the handshake can be shown");
}

bool accepts_hello(const mesh::frame& f) {
  const auto greeting = env::read_hello(f);
  if (!greeting) {
    check_shown(greeting.failure().text, 4096);
    return false;
  }
  check_shown(greeting->cluster, 255);
  check_shown(greeting->node_name, 255);
  promise(greeting->protocols.min <= greeting->protocols.max, "a range of versions is not empty");
  const auto version = env::agree(own, *greeting);
  promise(!version || (*version >= own.protocols.min && *version <= own.protocols.max),
          "a version agreed on is one of the listener's");
  return true;
}

bool accepts_answer(const mesh::frame& f) {
  const auto answer = env::read_answer(f);
  if (answer) {
    check_shown(answer->node_name, 255);
    return true;
  }
  check_shown(answer.failure().text, 4096);
  promise(answer.failure().code != errc::none, "a refusal has a code");
  // A Refuse that decodes is an answer too.
  return f.header.kind == static_cast<std::uint16_t>(schema::MessageKind::REFUSE) &&
         answer.failure().code != errc::malformed_message;
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
  return {input_of(env::make_hello(own, lane)), input_of(env::make_hello(wide, lane)),
          input_of(env::make_welcome(own, lane, 2)),
          input_of(env::make_refuse(own, lane, {errc::incompatible_peer, "another cluster"}))};
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
  const bool is_hello = accepts_hello(f);
  const bool is_answer = accepts_answer(f);
  promise(!(is_hello && is_answer), "no frame is a Hello and an answer to one");
  return is_hello || is_answer;
}

} // namespace gradmesh::fuzz
