#include "actors/learning/data/gzip.hpp"

#include "builders.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::learning;
using namespace gradmesh::learning::test;

namespace {

constexpr std::uint64_t limit = 1000;

} // namespace

TEST_CASE("bytes without the gzip magic are passed on as they are") {
  for (const std::string bytes : {"", "\x1f", "plain", "\x1e\x8b"}) {
    const auto inflated = inflate_if_gzip(bytes, "f", limit);
    REQUIRE(inflated);
    CHECK(*inflated == bytes);
  }
}

TEST_CASE("gzip is inflated, also in several members") {
  const std::string text(limit, 'a');
  const auto inflated = inflate_if_gzip(gzip(text), "f", limit);
  REQUIRE(inflated);
  CHECK(*inflated == text);
  const auto members = inflate_if_gzip(gzip("one ") + gzip("") + gzip("two"), "f", limit);
  REQUIRE(members);
  CHECK(*members == "one two");
}

TEST_CASE("a gzip bomb stops at the limit") {
  const auto inflated = inflate_if_gzip(gzip(std::string(100'000'000, 'a')), "f", limit);
  REQUIRE_FALSE(inflated);
  CHECK(inflated.failure().code == errc::limit_exceeded);
  CHECK(inflated.failure().text == "f inflates to more than the limit of 1000 bytes");
  CHECK_FALSE(inflate_if_gzip(gzip(std::string(limit + 1, 'a')), "f", limit));
}

TEST_CASE("gzip cut off anywhere after its magic is refused") {
  const std::string bytes = gzip("some text that is worth keeping");
  for (std::size_t length = 2; length < bytes.size(); ++length) {
    CAPTURE(length);
    const auto inflated = inflate_if_gzip(bytes.substr(0, length), "f", limit);
    REQUIRE_FALSE(inflated);
    CHECK(inflated.failure().text ==
          "f: byte " + std::to_string(length) + ": the gzip data is cut off");
  }
}

TEST_CASE("damaged gzip is refused with what zlib says") {
  std::string bytes = gzip("some text that is worth keeping");
  bytes[bytes.size() - 6] ^= 1; // in the checksum
  const auto inflated = inflate_if_gzip(bytes, "f", limit);
  REQUIRE_FALSE(inflated);
  CHECK(inflated.failure().code == errc::malformed_data);
  CHECK(inflated.failure().text.ends_with("damaged gzip data: incorrect data check"));
}

TEST_CASE("junk behind gzip data is refused") {
  CHECK_FALSE(inflate_if_gzip(gzip("text") + "junk", "f", limit));
}
