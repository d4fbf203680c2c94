// Metadata that is no honest Cap'n Proto message: reading all of it ends, soon and with an error.

#include "actors/mesh/receive.hpp"

#include <capnp/dynamic.h>
#include <doctest/doctest.h>
#include <kj/string.h>

#include <algorithm>

using namespace gradmesh;
using namespace gradmesh::mesh;

namespace {

using words = std::vector<std::uint64_t>;

// Pointers as they stand on the wire; offsets in words, from the end of the pointer.
constexpr std::uint64_t to_struct(std::int32_t offset, std::uint16_t data, std::uint16_t pointers) {
  return static_cast<std::uint32_t>(offset) << 2 | std::uint64_t{data} << 32 |
         std::uint64_t{pointers} << 48;
}
enum : std::uint64_t { of_nothing = 0, of_bytes = 2, of_pointers = 6, of_structs = 7 };
/// `count` of elements, or of words where they are structs.
constexpr std::uint64_t to_list(std::int32_t offset, std::uint64_t kind, std::uint64_t count) {
  return static_cast<std::uint32_t>(offset) << 2 | 1 | kind << 32 | count << 35;
}
/// What stands in front of structs in a list.
constexpr std::uint64_t structs(std::uint32_t count, std::uint16_t data, std::uint16_t pointers) {
  return to_struct(static_cast<std::int32_t>(count), data, pointers);
}
constexpr std::uint64_t far(std::uint32_t segment, std::uint32_t offset, bool twice = false) {
  return std::uint64_t{2} | std::uint64_t{twice} << 2 | std::uint64_t{offset} << 3 |
         std::uint64_t{segment} << 32;
}
constexpr std::uint64_t capability = 3;
/// A root of pointers only, which follow it.
constexpr std::uint64_t root(std::uint16_t pointers) {
  return to_struct(0, 0, pointers);
}

frame_ptr frame_of(std::uint16_t kind, const std::vector<words>& segments) {
  auto f = std::make_shared<frame>();
  std::vector<std::uint32_t> table{static_cast<std::uint32_t>(segments.size() - 1)};
  for (const auto& s : segments)
    table.push_back(static_cast<std::uint32_t>(s.size()));
  if (table.size() % 2 != 0) table.push_back(0);
  for (std::size_t i = 0; i < table.size(); i += 2)
    f->metadata.push_back(table[i] | std::uint64_t{table[i + 1]} << 32);
  for (const auto& s : segments)
    f->metadata.insert(f->metadata.end(), s.begin(), s.end());
  f->header.kind = kind;
  f->header.metadata_bytes = static_cast<std::uint32_t>(8 * f->metadata.size());
  return f;
}

/// Words that reading may pass over, however often it comes by: the limit of the decoder.
std::uint64_t reading_max(const frame& f) {
  return 64 * f.metadata.size() + 4096;
}

template <class T, class Read>
error outcome(const std::vector<words>& segments, Read read) {
  const auto f = frame_of(message_traits<T>::kind, segments);
  const auto m = message<T>::decode(f);
  if (!m) return m.failure();
  const auto done = guarded([&]() -> result<void> {
    read(**m, reading_max(*f));
    return {};
  });
  return done ? error{} : done.failure();
}

/// Follows every pointer that the schema knows, then every one that there is.
template <class T>
error read_everything(const std::vector<words>& segments) {
  const auto known =
      outcome<T>(segments, [](auto m, auto) { (void)kj::str(capnp::DynamicStruct::Reader(m)); });
  const auto copied = outcome<T>(segments, [](auto m, auto) {
    capnp::MallocMessageBuilder copy;
    copy.setRoot(m);
  });
  return known ? known : copied;
}

void check_malformed(const error& why) {
  CHECK(why.code == errc::malformed_message);
  CHECK(
      std::ranges::none_of(why.text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

} // namespace

TEST_CASE("pointers that lead nowhere make a message malformed") {
  const words bad{
      to_list(1'000'000, of_structs, 4),
      to_list(-100, of_structs, 4),
      to_list(0, of_structs, 1'000'000),
      to_list(0, of_pointers, (1u << 29) - 1),
      to_struct(0, 1, 0),
      to_struct(1'000'000, 1, 1),
      to_struct(0, 0xFFFF, 0xFFFF),
      far(7, 0),
      far(0xFFFFFFFF, 0),
      far(0, 1'000'000),
      far(0, 0, true),
      capability,
      capability | std::uint64_t{5} << 32,
  };
  for (const auto pointer : bad) {
    CAPTURE(pointer);
    check_malformed(read_everything<schema::View>({{root(1), pointer, structs(1, 0, 0)}}));
    check_malformed(read_everything<schema::Pull>({{root(1), pointer, structs(1, 0, 0)}}));
    check_malformed(read_everything<schema::JobPlan>({{root(2), 0, pointer, structs(1, 0, 0)}}));
  }
  // The root itself.
  for (const auto pointer : bad)
    check_malformed(read_everything<schema::Push>({{pointer}}));
}

TEST_CASE("a list that says it has more structs than words is malformed") {
  for (const auto count : {2u, 1'000u, (1u << 29) - 1}) {
    CAPTURE(count);
    check_malformed(read_everything<schema::Pull>(
        {{root(1), to_list(0, of_structs, 2), structs(count, 1, 1), 0, 0}}));
  }
}

TEST_CASE("a segment table that lies is malformed") {
  for (const auto table :
       {std::uint64_t{0xFFFFFFFF}, std::uint64_t{0xFFFFFFFE} | std::uint64_t{1} << 32,
        std::uint64_t{2'000'000'000} << 32, std::uint64_t{511} | std::uint64_t{1} << 32}) {
    CAPTURE(table);
    auto f = std::make_shared<frame>(*frame_of(message_traits<schema::View>::kind, {{root(0)}}));
    f->metadata[0] = table;
    const auto m = message<schema::View>::decode(f);
    REQUIRE_FALSE(m);
    CHECK(m.failure().code == errc::malformed_message);
  }
  auto empty = std::make_shared<frame>();
  empty->header.kind = message_traits<schema::View>::kind;
  const auto m = message<schema::View>::decode(empty);
  CHECK((!m || (**m).getMembers().size() == 0));
}

TEST_CASE("far pointers in circles are malformed") {
  check_malformed(read_everything<schema::View>({{far(1, 0)}, {far(0, 0)}}));
  check_malformed(read_everything<schema::View>({{far(0, 0)}}));
  check_malformed(read_everything<schema::View>({{root(1), far(1, 0)}, {far(1, 0)}}));
  check_malformed(
      read_everything<schema::View>({{root(1), far(1, 0, true)}, {far(0, 1), structs(1, 0, 0)}}));
}

TEST_CASE("structs in structs without end are malformed") {
  const auto copied = [](const words& segment) {
    return outcome<schema::View>({segment}, [](auto m, auto) {
      capnp::MallocMessageBuilder copy;
      copy.setRoot(m);
    });
  };
  SUBCASE("one in itself") {
    check_malformed(copied({to_struct(-1, 0, 1)}));
  }
  SUBCASE("a long chain") {
    check_malformed(copied(words(100'000, root(1))));
  }
  SUBCASE("a list in itself") {
    check_malformed(copied({root(1), to_list(-1, of_pointers, 1)}));
  }
}

TEST_CASE("lists of nothing are as long as the message allows and no longer") {
  const auto parts_in = [](const words& segment) {
    std::uint64_t seen = 0;
    const auto why = outcome<schema::Pull>({segment}, [&](auto m, std::uint64_t most) {
      const auto parts = m.getParts();
      REQUIRE(parts.size() <= most);
      for (const auto part : parts)
        seen += part.isBlock();
    });
    return std::pair(why, seen);
  };
  for (const auto count : {10'000u, 1u << 20, (1u << 29) - 1}) {
    CAPTURE(count);
    check_malformed(parts_in({root(1), to_list(0, of_structs, 0), structs(count, 0, 0)}).first);
    check_malformed(parts_in({root(1), to_list(0, of_nothing, count)}).first);
  }
  const auto [why, seen] = parts_in({root(1), to_list(0, of_structs, 0), structs(100, 0, 0)});
  CHECK_FALSE(why);
  CHECK(seen == 100);
}

TEST_CASE("many pointers to the same data do not keep a reader busy") {
  // A View of members that all point to the same long list of roles, each the same text.
  constexpr std::uint32_t members = 1'000, roles = 1'000, text_words = 100;
  constexpr std::uint16_t pointers = 5; // uuid, name, roles, endpoint, services
  words w{root(1), to_list(0, of_structs, members * pointers), structs(members, 0, pointers)};
  const auto roles_at = w.size() + members * pointers;
  for (std::uint32_t i = 0; i < members; ++i)
    for (std::uint16_t p = 0; p < pointers; ++p)
      w.push_back(
          p == 2 ? to_list(static_cast<std::int32_t>(roles_at - w.size() - 1), of_pointers, roles)
                 : 0);
  const auto text_at = w.size() + roles;
  for (std::uint32_t i = 0; i < roles; ++i)
    w.push_back(
        to_list(static_cast<std::int32_t>(text_at - w.size() - 1), of_bytes, 8 * text_words));
  w.insert(w.end(), text_words - 1, 0x6162636465666768);
  w.push_back(0x0061626364656667); // ends in zero

  std::uint64_t read_bytes = 0;
  const auto why = outcome<schema::View>({w}, [&](auto view, std::uint64_t most) {
    for (const auto member : view.getMembers())
      for (const auto role : member.getRoles()) {
        read_bytes += role.size() + 1;
        REQUIRE(read_bytes <= 8 * most);
      }
  });
  check_malformed(why);
  CHECK(read_bytes >= 8 * roles * text_words); // it did begin
  check_malformed(read_everything<schema::View>({w}));

  // Read once, as an honest reader would, the same list is well.
  CHECK_FALSE(outcome<schema::View>({w}, [](auto view, auto) {
    for (const auto role : view.getMembers()[0].getRoles())
      (void)role.size();
  }));
}
