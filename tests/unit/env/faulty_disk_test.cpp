#include "tools/simulation/faulty_disk.hpp"

#include "tests/support/disk_contract.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace gradmesh;
using simulation::faulty_disk;

namespace {

constexpr std::uint64_t read_max = 1U << 20;
constexpr std::uint64_t seeds = 200;

/// "-" if there is no such file.
std::string content(faulty_disk& disk, const std::string& path) {
  const auto bytes = disk.read(path, read_max);
  return bytes ? *bytes : "-";
}

} // namespace

TEST_CASE("a disk with faults does what every disk does until it has one") {
  faulty_disk disk(1);
  testing::check_disk(disk, "/root");
}

TEST_CASE("what was synced survives any crash, what was not is lost in every way") {
  std::set<std::string> left;
  std::set<std::string> never_synced;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    faulty_disk disk(seed);
    REQUIRE(disk.create_directories("/a/b"));
    REQUIRE(disk.write("/a/b/whole", "written"));
    const auto log = disk.create("/a/b/log");
    REQUIRE(log);
    REQUIRE((*log)->append("safe"));
    REQUIRE((*log)->sync());
    REQUIRE((*log)->append("+no"));
    const auto other = disk.create("/a/other");
    REQUIRE(other);
    REQUIRE((*other)->append("x"));
    disk.crash();
    CHECK(content(disk, "/a/b/whole") == "written");
    left.insert(content(disk, "/a/b/log"));
    never_synced.insert(content(disk, "/a/other"));
    CHECK_FALSE((*log)->append("of before the crash"));
    CHECK(disk.write("/a/after", "it goes on"));
  }
  const auto zeros = [](std::string text, std::size_t count) { return text.append(count, '\0'); };
  CHECK(left == std::set<std::string>{"safe", "safe+", "safe+n", "safe+no", zeros("safe", 3),
                                      zeros("safe+", 2), zeros("safe+n", 1)});
  CHECK(never_synced == std::set<std::string>{"-", "", "x", zeros("", 1)});
}

TEST_CASE("a write that a crash interrupts leaves the old bytes or the new") {
  std::set<std::string> left;
  bool temporary = false;
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    for (std::uint64_t at = 0; at < 5; ++at) {
      faulty_disk disk(seed);
      REQUIRE(disk.write("file", "old"));
      disk.stop_after(at);
      CHECK_FALSE(disk.write("file", "new"));
      CHECK(disk.stopped());
      CHECK_FALSE(disk.exists("file"));
      CHECK_FALSE(disk.write("other", "x"));
      disk.crash();
      left.insert(content(disk, "file"));
      CHECK(content(disk, "other") == "-");
      temporary = temporary || disk.list(".")->size() > 1;
    }
  CHECK(left == std::set<std::string>{"old", "new"});
  CHECK(temporary); // as on a real one
  faulty_disk disk(1);
  REQUIRE(disk.write("file", "old"));
  disk.stop_after(5);
  CHECK(disk.write("file", "new"));
}

TEST_CASE("a file that is made anew or cut can come back as it was until it is synced") {
  std::set<std::string> anew;
  std::set<std::string> cut;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    faulty_disk disk(seed);
    REQUIRE(disk.write("a", "old"));
    REQUIRE(disk.write("b", "whole torn"));
    REQUIRE(disk.create("a"));
    disk.stop_after(0);
    CHECK_FALSE(disk.reopen("b", 6));
    disk.crash();
    anew.insert(content(disk, "a"));
    cut.insert(content(disk, "b"));
    REQUIRE(disk.reopen("b", 6));
    disk.crash();
    CHECK(content(disk, "b") == "whole ");
  }
  CHECK(anew == std::set<std::string>{"old", ""});
  CHECK(cut == std::set<std::string>{"whole torn", "whole "});
}

TEST_CASE("a removal or a folder that was not reported as done is done or not") {
  std::set<bool> removed;
  std::set<bool> made;
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    for (std::uint64_t at = 0; at < 2; ++at) {
      faulty_disk disk(seed);
      REQUIRE(disk.write("a", "x"));
      disk.stop_after(at);
      CHECK_FALSE(disk.remove("a"));
      disk.crash();
      removed.insert(!disk.exists("a"));
      disk.stop_after(at);
      CHECK_FALSE(disk.create_directories("folder"));
      disk.crash();
      made.insert(disk.exists("folder"));
    }
  CHECK(removed.size() == 2);
  CHECK(made.size() == 2);
}

TEST_CASE("a sync that fails loses its bytes for good, though the next succeeds") {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    faulty_disk disk(seed);
    const auto log = disk.create("log");
    REQUIRE((*log)->append("one"));
    REQUIRE((*log)->sync());
    REQUIRE((*log)->append("two"));
    disk.fail_syncs(1);
    CHECK((*log)->sync().failure() ==
          error{errc::io_failed, "cannot sync 'log': Input/output error"});
    REQUIRE((*log)->append("three"));
    REQUIRE((*log)->sync());
    CHECK(content(disk, "log") == "onetwothree");
    disk.crash();
    CHECK(content(disk, "log") == std::string("one\0\0\0three", 11));
  }
}

TEST_CASE("a full disk takes what fits, and more once something was removed") {
  faulty_disk disk(1);
  REQUIRE(disk.write("a", "12345"));
  disk.set_space(8);
  CHECK(disk.write("b", "1234").failure() ==
        error{errc::io_failed, "cannot write 'b': No space left on device"});
  CHECK(disk.list(".")->size() == 1); // no temporary file
  const auto log = disk.create("log");
  CHECK_FALSE((*log)->append("1234"));
  CHECK(content(disk, "log") == "123");
  REQUIRE(disk.remove("a"));
  CHECK((*log)->append("45678"));
  CHECK_FALSE((*log)->append("9"));
}

TEST_CASE("bits flip and files are cut on request, on the medium too") {
  faulty_disk disk(std::random_device{}());
  REQUIRE(disk.create_directories("/job"));
  REQUIRE(disk.write("/job/a", "aaa"));
  REQUIRE(disk.write("/b", "bbb"));
  REQUIRE(disk.flip_bit("/b", 8));
  CHECK_FALSE(disk.flip_bit("/b", 24));
  CHECK(disk.flip_any_bit("/job/") == "/job/a");
  CHECK(disk.flip_any_bit("/no").empty());
  const auto flipped = content(disk, "/job/a");
  CHECK(flipped != "aaa");
  REQUIRE(disk.cut("/b", 2));
  CHECK_FALSE(disk.cut("/b", 2));
  disk.crash();
  CHECK(content(disk, "/b") == "bc");
  CHECK(content(disk, "/job/a") == flipped);
}

TEST_CASE("the same seed and calls see the same faults") {
  const auto run = [](std::uint64_t seed) {
    faulty_disk disk(seed);
    std::string trace;
    for (int round = 0; round < 20; ++round) {
      const auto log = disk.create("log");
      (void)(*log)->append("some bytes that are not synced");
      disk.crash();
      trace += content(disk, "log") + "|";
    }
    return trace;
  };
  CHECK(run(7) == run(7));
  CHECK(run(7) != run(8));
}

TEST_CASE("a folder whose name a failed sync lost is made anew") {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    CAPTURE(seed);
    faulty_disk disk(seed);
    disk.fail_syncs(1);
    CHECK_FALSE(disk.create_directories("/a/b/c"));
    REQUIRE(disk.create_directories("/a/b/c"));
    REQUIRE(disk.write("/a/b/c/file", "kept"));
    disk.crash();
    CHECK(content(disk, "/a/b/c/file") == "kept");
  }
}
