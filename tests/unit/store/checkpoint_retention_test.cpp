#include "actors/env/random.hpp"
#include "actors/store/checkpoint_format.hpp"

#include "tests/unit/store/checkpoint_support.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

using namespace gradmesh;
using namespace gradmesh::store;
using namespace gradmesh::testing;
using simulation::faulty_disk;

namespace {

std::string in_folder(const std::string& path) {
  return checkpoint_folder + "/" + path;
}

/// Numbers of the checkpoints that have a manifest.
std::vector<std::uint64_t> with_manifest(const checkpoint_store& store) {
  auto numbers = *store.numbers();
  std::erase_if(numbers, [&](std::uint64_t number) {
    const auto found = store.manifest(number);
    return !found && found.failure().code == errc::not_found;
  });
  return numbers;
}

struct six_checkpoints {
  std::shared_ptr<faulty_disk> disk = std::make_shared<faulty_disk>(1);
  checkpoint_store store{disk, checkpoint_folder};

  six_checkpoints() {
    for (std::uint64_t step = 1; step <= 6; ++step)
      REQUIRE(write_checkpoint(disk, step));
  }
};

using numbers = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("the last checkpoints are kept with what they refer to, and nothing else") {
  six_checkpoints all;
  const auto removed = retain_checkpoints(all.disk, checkpoint_folder, 2);
  REQUIRE(removed);
  CHECK(removed->checkpoints == 4);
  CHECK(removed->files == 6); // of 2, 3 and 4; those of 1 hold what does not change
  CHECK(with_manifest(all.store) == numbers{5, 6});
  CHECK(files_below(*all.disk, checkpoint_folder) ==
        std::vector<std::string>{"000001/shard-00000.chunks", "000001/shard-00001.chunks",
                                 "000005/manifest", "000005/shard-00000.chunks",
                                 "000005/shard-00001.chunks", "000006/manifest",
                                 "000006/shard-00000.chunks", "000006/shard-00001.chunks"});
  for (const auto number : {5, 6})
    CHECK(all.store.check(*all.store.manifest(number), check_depth::chunks).empty());
  const auto again = retain_checkpoints(all.disk, checkpoint_folder, 2);
  REQUIRE(again);
  CHECK(again->bytes == 0);
}

TEST_CASE("more checkpoints than there are, none at all, or zero to keep delete nothing") {
  six_checkpoints all;
  const auto before = files_below(*all.disk, checkpoint_folder);
  CHECK(retain_checkpoints(all.disk, checkpoint_folder, 99)->bytes == 0);
  CHECK(retain_checkpoints(all.disk, checkpoint_folder, 0).failure().code ==
        errc::invalid_argument);
  CHECK(retain_checkpoints(all.disk, "/nowhere", 1)->bytes == 0);
  CHECK(files_below(*all.disk, checkpoint_folder) == before);
}

TEST_CASE("a damaged checkpoint does not count as one of those that are kept") {
  six_checkpoints all;
  REQUIRE(all.disk->flip_bit(in_folder("000006/manifest"), 100));
  const auto missing = *all.disk->read(in_folder("000005/shard-00001.chunks"), 1U << 20);
  REQUIRE(all.disk->remove(in_folder("000005/shard-00001.chunks")));
  REQUIRE(retain_checkpoints(all.disk, checkpoint_folder, 2));
  CHECK(with_manifest(all.store) == numbers{3, 4, 5, 6}); // 5 and 6 might be mended
  CHECK(all.store.latest_good(nullptr)->manifest.number == 4);
  // Once the missing file is put back, 5 is whole again.
  REQUIRE(all.disk->write(in_folder("000005/shard-00001.chunks"), missing));
  CHECK(all.store.check(*all.store.manifest(5), check_depth::chunks).empty());
  REQUIRE(all.disk->remove(in_folder("000005/shard-00001.chunks")));
  REQUIRE(write_checkpoint(all.disk, 7));
  REQUIRE(write_checkpoint(all.disk, 8));
  REQUIRE(retain_checkpoints(all.disk, checkpoint_folder, 2));
  CHECK(with_manifest(all.store) == numbers{7, 8});
}

TEST_CASE("nothing is deleted while it is not known what a newer format needs") {
  six_checkpoints all;
  auto bytes = *all.disk->read(in_folder("000004/manifest"), 1U << 20);
  bytes[8] = 2;
  const auto sum_at = bytes.size() - sizeof(checksum128);
  const auto sum = checksum_of(std::string_view(bytes).substr(0, sum_at));
  std::memcpy(bytes.data() + sum_at, &sum, sizeof sum);
  REQUIRE(all.disk->write(in_folder("000004/manifest"), bytes));
  const auto before = files_below(*all.disk, checkpoint_folder);
  const auto refused = retain_checkpoints(all.disk, checkpoint_folder, 1);
  REQUIRE(!refused);
  CHECK(refused.failure().code == errc::refused);
  CHECK(refused.failure().text.starts_with("no checkpoint was deleted: "));
  CHECK(files_below(*all.disk, checkpoint_folder) == before);
}

TEST_CASE("whatever changes between checkpoints, the kept ones stay whole and the rest goes") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  env::random_stream random(seed);
  for (int job = 0; job < 20; ++job) {
    const auto disk = std::make_shared<faulty_disk>(random.next());
    const checkpoint_store store(disk, checkpoint_folder);
    const auto keep = 1 + random.below(4);
    const checkpoint_options options{.rewrite_after = 1 + random.below(8)};
    auto chunks = chunks_at(0);
    std::map<std::uint64_t, std::vector<checkpoint_chunk>> written;
    for (std::uint64_t number = 1; number <= 15; ++number) {
      for (auto& chunk : chunks) // few contents, so that they come back and meet
        if (random.below(3) == 0) chunk.bytes.assign(1 + random.below(5), 'x');
      REQUIRE(write_checkpoint(disk, number, chunks, options));
      written[number] = chunks;
      REQUIRE(retain_checkpoints(disk, checkpoint_folder, keep));
      const auto left = with_manifest(store);
      CHECK(left.size() == std::min(keep, number));
      std::set<std::string> needed;
      for (const auto kept : left) {
        const auto manifest = store.manifest(kept);
        REQUIRE(manifest);
        CHECK(contents_of(store, *manifest) == contents_of(written[kept]));
        needed.insert(checkpoint_name(kept) + "/manifest");
        for (const auto& entry : manifest->files)
          needed.insert(path_of(entry.file));
      }
      const auto files = files_below(*disk, checkpoint_folder);
      CHECK(std::set<std::string>(files.begin(), files.end()) == needed);
    }
  }
}

TEST_CASE("what only a damaged checkpoint refers to stays as long as it might be mended") {
  const auto disk = std::make_shared<faulty_disk>(1);
  const checkpoint_store store(disk, checkpoint_folder);
  auto other = chunks_at(3);
  for (auto& chunk : other)
    chunk.bytes += " of another kind";
  REQUIRE(write_checkpoint(disk, 1));
  REQUIRE(write_checkpoint(disk, 2, other, {.rewrite_after = 1})); // refers to nothing
  REQUIRE(write_checkpoint(disk, 3, other));                       // all of it lies in 2
  other[0].bytes += "!";
  REQUIRE(write_checkpoint(disk, 4, other));
  REQUIRE(write_checkpoint(disk, 5, chunks_at(5), {.rewrite_after = 1}));
  const auto lost = *disk->read(in_folder("000004/shard-00000.chunks"), 1U << 20);
  REQUIRE(disk->remove(in_folder("000004/shard-00000.chunks")));
  REQUIRE(disk->remove(in_folder("000003/manifest")));
  REQUIRE(disk->remove(in_folder("000002/manifest")));
  REQUIRE(retain_checkpoints(disk, checkpoint_folder, 2));
  CHECK(with_manifest(store) == numbers{1, 4, 5});
  REQUIRE(disk->write(in_folder("000004/shard-00000.chunks"), lost));
  CHECK(store.check(*store.manifest(4), check_depth::chunks).empty());
}
