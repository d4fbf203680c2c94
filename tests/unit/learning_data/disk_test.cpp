#include "actors/env/memory_disk.hpp"

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

/// What both disks must do, under a root that exists.
void check_disk(env::disk& disk, const std::string& root) {
  const std::string directory = root + "/a/b";
  const std::string path = directory + "/file";
  CHECK_FALSE(disk.exists(path));
  CHECK(disk.read(path, 10).failure() ==
        error{errc::not_found, "cannot open '" + path + "': No such file or directory"});
  CHECK(disk.write(path, "x").failure().code == errc::io_failed);
  CHECK(disk.list(directory).failure().code == errc::not_found);

  REQUIRE(disk.create_directories(directory));
  REQUIRE(disk.create_directories(directory));
  const std::string bytes("\0one\n\xff", 6);
  REQUIRE(disk.write(path, "the file before, which is longer"));
  REQUIRE(disk.write(path, bytes));
  CHECK(disk.exists(path));
  CHECK(disk.exists(directory));
  CHECK(*disk.read(path, 6) == bytes);
  CHECK(disk.read(path, 5).failure() ==
        error{errc::limit_exceeded,
              "cannot read '" + path + "': it is longer than the limit of 5 bytes"});
  CHECK(disk.create_directories(path).failure().code == errc::io_failed);

  REQUIRE(disk.write(directory + "/another", ""));
  CHECK(*disk.read(directory + "/another", 0) == "");
  const auto files = disk.list(directory);
  REQUIRE(files);
  REQUIRE(files->size() == 2); // and no temporary file
  CHECK(files->at(0).name == "another");
  CHECK(files->at(1).name == "file");
  CHECK(files->at(1).bytes == 6);
  CHECK(disk.list(root + "/a")->empty());

  CHECK(disk.create(root + "/nowhere/log").failure().code == errc::io_failed);
  REQUIRE(disk.write(root + "/log", "what was there"));
  {
    const auto log = disk.create(root + "/log");
    REQUIRE(log);
    CHECK(*disk.read(root + "/log", 10) == "");
    REQUIRE((*log)->append("one "));
    REQUIRE((*log)->append("two"));
    REQUIRE((*log)->sync());
  }
  CHECK(*disk.read(root + "/log", 10) == "one two");

  CHECK(*disk.read_part(root + "/log", 4, 3) == "two");
  CHECK(*disk.read_part(root + "/log", 7, 0) == "");
  CHECK(disk.read_part(root + "/log", 4, 4).failure() ==
        error{errc::io_failed, "cannot read 4 bytes at 4 of '" + root + "/log': it has 7"});
  CHECK(disk.read_part(root + "/log", 8, ~std::uint64_t{0}).failure().code == errc::io_failed);
  CHECK(disk.read_part(root + "/no", 0, 1).failure().code == errc::not_found);
}

/// What a log needs that is continued, and whoever clears up.
void check_reopen_and_remove(env::disk& disk, const std::string& root) {
  const std::string log = root + "/c/log";
  REQUIRE(disk.create_directories(root + "/c/empty"));
  REQUIRE(disk.write(log, "whole torn"));
  {
    const auto file = disk.reopen(log, 6);
    REQUIRE(file);
    CHECK(*disk.read(log, 10) == "whole ");
    REQUIRE((*file)->append("new"));
    REQUIRE((*file)->sync());
  }
  CHECK(*disk.read(log, 10) == "whole new");
  CHECK(disk.reopen(log, 10).failure().code == errc::io_failed);
  CHECK(*disk.read(log, 10) == "whole new"); // and nothing was done to it
  CHECK(disk.reopen(root + "/c/no", 0).failure() ==
        error{errc::not_found, "cannot open '" + root + "/c/no': No such file or directory"});

  REQUIRE(disk.create_directories(root + "/c/b"));
  CHECK(*disk.list_folders(root + "/c") == std::vector<std::string>{"b", "empty"});
  CHECK(disk.list_folders(root + "/no").failure().code == errc::not_found);
  CHECK(disk.remove(root + "/c").failure() ==
        error{errc::io_failed, "cannot remove '" + root + "/c': Directory not empty"});
  REQUIRE(disk.remove(root + "/c/empty"));
  REQUIRE(disk.remove(root + "/c/b"));
  REQUIRE(disk.remove(log));
  CHECK_FALSE(disk.exists(log));
  CHECK(disk.remove(log).failure() ==
        error{errc::not_found, "cannot remove '" + log + "': No such file or directory"});
  REQUIRE(disk.remove(root + "/c"));
  CHECK_FALSE(disk.exists(root + "/c"));
}

} // namespace

TEST_CASE("the real disk reads, replaces and lists whole files") {
  const folder root;
  check_disk(*env::make_disk(), root.path);
  check_reopen_and_remove(*env::make_disk(), root.path);
}

TEST_CASE("the disk in memory does the same as the real one") {
  env::memory_disk disk;
  check_disk(disk, "/root");
  check_reopen_and_remove(disk, "/root");
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
