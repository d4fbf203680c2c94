#include "actors/env/memory_disk.hpp"

#include "tests/support/disk_contract.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <sys/stat.h>

using namespace gradmesh;

namespace {

namespace fs = std::filesystem;

/// A folder of its own for each test, gone afterwards.
struct folder {
  std::string path = (fs::temp_directory_path() / "gradmesh-disk-XXXXXX").string();
  folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~folder() { fs::remove_all(path); }
};

} // namespace

TEST_CASE("the real disk reads, replaces and lists whole files") {
  const folder root;
  testing::check_disk(*env::make_disk(), root.path);
}

TEST_CASE("the disk in memory does the same as the real one") {
  env::memory_disk disk;
  testing::check_disk(disk, "/root");
}

TEST_CASE("rewriting a file in memory changes its time") {
  env::memory_disk disk;
  REQUIRE(disk.write("file", "x"));
  const auto before = *disk.list(".");
  REQUIRE(disk.write("file", "y"));
  CHECK(before != *disk.list("."));
}

TEST_CASE("what is not a regular file is refused instead of waited for") {
  const folder root;
  const std::string pipe = root.path + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto disk = env::make_disk();
  CHECK(disk->read(pipe, 10).failure().text ==
        "cannot read '" + pipe + "': it is not a regular file");
  CHECK(disk->read(root.path, 10).failure().code == errc::io_failed);
}

TEST_CASE("a file that claims to be empty is read to its end") {
  const auto disk = env::make_disk();
  const auto status = disk->read("/proc/self/status", 1u << 20);
  REQUIRE(status);
  CHECK(status->find("Name:") != std::string::npos);
  CHECK(disk->read("/proc/self/status", 10).failure().code == errc::limit_exceeded);
}

TEST_CASE("a write that fails leaves no temporary file behind") {
  const folder root;
  const std::string taken = root.path + "/folder";
  const auto disk = env::make_disk();
  REQUIRE(disk->create_directories(taken));
  const auto written = disk->write(taken, "x");
  REQUIRE_FALSE(written);
  CHECK(written.failure().text == "cannot write '" + taken + "': Is a directory");
  CHECK(disk->list(root.path)->empty());
}

TEST_CASE("a growing file keeps what fits on a disk that is full") {
  env::memory_disk disk;
  const auto log = disk.create("log");
  REQUIRE(log);
  disk.set_space_left(5);
  REQUIRE((*log)->append("abc"));
  CHECK((*log)->append("def").failure() ==
        error{errc::io_failed, "cannot write 'log': No space left on device"});
  CHECK(*disk.read("log", 10) == "abcde");
}

TEST_CASE("what is no file of its own is written to and not replaced") {
  const folder root;
  const auto disk = env::make_disk();
  REQUIRE(disk->write(root.path + "/target", "before"));
  fs::create_symlink(root.path + "/target", root.path + "/link");
  REQUIRE(disk->write(root.path + "/link", "after"));
  CHECK(fs::is_symlink(root.path + "/link"));
  CHECK(*disk->read(root.path + "/target", 100) == "after");

  const auto pipe = root.path + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(disk->write(pipe, "x").failure().code == errc::io_failed); // nobody reads, nobody waits
  CHECK(fs::is_fifo(pipe));
}
