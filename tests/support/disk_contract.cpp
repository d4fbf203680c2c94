#include "tests/support/disk_contract.hpp"

#include <doctest/doctest.h>

namespace gradmesh::testing {
namespace {

void check_whole_files(env::disk& disk, const std::string& root) {
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

void check_disk(env::disk& disk, const std::string& root) {
  check_whole_files(disk, root);
  check_reopen_and_remove(disk, root);
}

} // namespace gradmesh::testing
