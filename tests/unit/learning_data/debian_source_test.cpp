#include "actors/env/memory_disk.hpp"
#include "actors/learning/data/load.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::learning;

namespace {

/// A machine with package lists whose apt-cache counts how often it is asked.
struct machine {
  env::memory_disk disk;
  int asked = 0;
  env::command_runner commands = [this](const std::vector<std::string>& arguments, std::uint64_t) {
    CHECK(arguments == std::vector<std::string>{"apt-cache", "dumpavail"});
    ++asked;
    std::string text;
    for (int i = 0; i < 100; ++i)
      text += "Package: p" + std::to_string(i) + "\nSection: " + (i % 2 ? "web" : "admin") +
              "\nDescription: package number " + std::to_string(i) + "\n\n";
    return result<std::string>(text);
  };

  machine() {
    REQUIRE(disk.create_directories("/var/lib/apt/lists"));
    touch_lists();
  }

  void touch_lists() { REQUIRE(disk.write("/var/lib/apt/lists/debian_main_Packages.lz4", "x")); }

  loaded_data load() {
    data_source source;
    source.cache = "/home/me/.cache/gradmesh";
    auto loaded = load_data(source, disk, commands);
    REQUIRE(loaded);
    CHECK(loaded->data.train.size() + loaded->data.test.size() == 100);
    return *std::move(loaded);
  }

  std::vector<env::file_info> caches() { return *disk.list("/home/me/.cache/gradmesh"); }
};

} // namespace

TEST_CASE("the packages are parsed once and then come from the cache") {
  machine host;
  const auto parsed = host.load();
  CHECK(parsed.source == "100 Debian packages from the package lists");
  const auto cached = host.load();
  CHECK(host.asked == 1);
  CHECK(cached.source.starts_with("100 Debian packages from /home/me/.cache/gradmesh/debian-"));
  CHECK(cached.data.class_names == parsed.data.class_names);
  CHECK(cached.data.train.labels == parsed.data.train.labels);
  CHECK(cached.data.train.indices == parsed.data.train.indices);
  CHECK(cached.data.test.values == parsed.data.test.values);
}

TEST_CASE("new package lists make a new cache") {
  machine host;
  host.load();
  host.touch_lists();
  host.load();
  CHECK(host.asked == 2);
  CHECK(host.caches().size() == 2);
}

TEST_CASE("a damaged cache is rebuilt and said to have been") {
  machine host;
  host.load();
  const std::string path = "/home/me/.cache/gradmesh/" + host.caches().at(0).name;
  std::string bytes = *host.disk.read(path, 1u << 20);
  bytes[bytes.size() / 2] ^= 1;
  REQUIRE(host.disk.write(path, bytes));
  CHECK(host.load().source.find("(rebuilt: " + path + " has a wrong checksum)") !=
        std::string::npos);
  CHECK(host.asked == 2);
  host.load();
  CHECK(host.asked == 2);
}

TEST_CASE("a cache that cannot be written costs nothing but time") {
  machine host;
  REQUIRE(host.disk.create_directories("/home/me/.cache"));
  REQUIRE(host.disk.write("/home/me/.cache/gradmesh", "a file"));
  CHECK(host.load().source.find("(not cached: ") != std::string::npos);
}

TEST_CASE("without a cache folder or visible lists the packages are parsed each time") {
  machine host;
  for (int i = 0; i < 2; ++i)
    REQUIRE(load_data({}, host.disk, host.commands));
  CHECK(host.asked == 2);
  env::memory_disk bare;
  data_source source;
  source.cache = "cache";
  REQUIRE(load_data(source, bare, host.commands));
  CHECK_FALSE(bare.exists("cache"));
}

TEST_CASE("a machine without apt is told what else there is") {
  env::memory_disk disk;
  const auto loaded = load_data({}, disk, [](const auto&, std::uint64_t) {
    return result<std::string>(errc::not_found, "cannot run 'apt-cache': No such file");
  });
  REQUIRE_FALSE(loaded);
  CHECK(loaded.failure().code == errc::not_found);
  CHECK(loaded.failure().text.find("choose another format") != std::string::npos);
}
