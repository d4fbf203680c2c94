#include "actors/mesh/message.hpp"
#include "actors/mesh/receive.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace gradmesh;
using namespace gradmesh::mesh;

namespace {

/// A Refusal whose text ends in the byte `end` instead of a zero.
message<schema::Refusal> refusal_ending_in(char end) {
  constexpr std::string_view content = "some text!";
  draft<schema::Refusal> refusal;
  refusal->setText(capnp::Text::Reader(content.data(), content.size()));
  auto f = std::make_shared<frame>(refusal.build({}, {}, 0, lane::control));
  const auto bytes = std::as_writable_bytes(std::span(f->metadata));
  const auto wanted = std::as_bytes(std::span(content));
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  REQUIRE(found != bytes.end());
  found[content.size()] = static_cast<std::byte>(end);
  auto decoded = message<schema::Refusal>::decode(std::move(f));
  REQUIRE(decoded); // pointers are looked at when they are followed
  return *std::move(decoded);
}

} // namespace

TEST_CASE("a message that breaks off in a handler becomes an error that can be shown") {
  for (const char end : {'x', '\x1b', '\n'}) {
    CAPTURE(end);
    const auto m = refusal_ending_in(end);
    const auto handled = guarded([&]() -> result<void> { return to_error(*m); });
    REQUIRE_FALSE(handled);
    CHECK(handled.failure().code == errc::malformed_message);
    CHECK(handled.failure().text.starts_with("a message does not decode"));
    CHECK(std::ranges::none_of(handled.failure().text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  }
  const auto whole = refusal_ending_in('\0');
  CHECK(guarded([&]() -> result<void> { return to_error(*whole); }).failure().text == "some text!");
}
