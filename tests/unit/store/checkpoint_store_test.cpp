#include "actors/env/memory_disk.hpp"

#include "tests/unit/store/checkpoint_support.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::store;
using namespace gradmesh::testing;
using simulation::faulty_disk;

namespace {

std::string in_folder(const std::string& path) {
  return checkpoint_folder + "/" + path;
}

std::uint64_t length_of(env::disk& disk, const std::string& path) {
  const auto bytes = disk.read(in_folder(path), 1U << 20);
  REQUIRE(bytes);
  return bytes->size();
}

} // namespace

TEST_CASE("a checkpoint is read as it was written, and unchanged chunks are not written again") {
  const auto disk = std::make_shared<env::memory_disk>();
  const checkpoint_store store(disk, checkpoint_folder);
  CHECK(store.numbers()->empty());
  const auto first = write_checkpoint(disk, 1);
  REQUIRE(first);
  CHECK(first->number == 1);
  CHECK(contents_of(store, *first) == contents_of(chunks_at(1)));
  const auto second = write_checkpoint(disk, 2);
  REQUIRE(second);
  CHECK(second->number == 2);
  CHECK(second->summary == summary_at(2));
  CHECK(contents_of(store, *second) == contents_of(chunks_at(2)));
  CHECK(size_of(*first).own_chunks == 6);
  const auto size = size_of(*second);
  CHECK(size.chunks == 6);
  CHECK(size.own_chunks == 2);
  CHECK(length_of(*disk, "000002/shard-00000.chunks") == 40 + chunks_at(2)[0].bytes.size());

  const auto again = write_checkpoint(disk, 2); // nothing has changed
  REQUIRE(again);
  CHECK(disk->list(in_folder("000003"))->size() == 1);
  CHECK(contents_of(store, *again) == contents_of(chunks_at(2)));

  const auto good = store.latest_good(nullptr);
  REQUIRE(good);
  CHECK(good->manifest == *again);
  CHECK(good->passed_over.empty());
}

TEST_CASE("the same content in two chunks is written once, and knows its shard") {
  const auto disk = std::make_shared<env::memory_disk>();
  const std::vector<checkpoint_chunk> chunks{
      {0, 0, 1, "same"}, {0, 1, 2, "same"}, {0, 2, 1, ""}, {0, 3, 1, ""}, {1, 0, 1, "same"}};
  const auto written = write_checkpoint(disk, 1, chunks);
  REQUIRE(written);
  CHECK(length_of(*disk, "000001/shard-00000.chunks") == 44);
  CHECK(contents_of({disk, checkpoint_folder}, *written) == contents_of(chunks));
  // Moved to another shard, as when a job goes on with other servers.
  const std::vector<checkpoint_chunk> moved{{0, 0, 1, "new"}, {1, 7, 1, "same"}};
  const auto next = write_checkpoint(disk, 2, moved);
  REQUIRE(next);
  CHECK(size_of(*next).own_chunks == 1);
  CHECK(contents_of({disk, checkpoint_folder}, *next) == contents_of(moved));
}

TEST_CASE("a chunk that never changes is written again when its file has become old") {
  const auto disk = std::make_shared<env::memory_disk>();
  const checkpoint_options options{.rewrite_after = 3};
  for (std::uint64_t number = 1; number <= 9; ++number) {
    const auto written = write_checkpoint(disk, number, chunks_at(number), options);
    REQUIRE(written);
    CHECK(size_of(*written).own_chunks == (number % 3 == 1 ? 6 : 2));
    for (const auto& entry : written->files)
      CHECK(entry.file.checkpoint + 3 > number);
  }
  const auto full = write_checkpoint(disk, 9, chunks_at(9), {.rewrite_after = 1});
  CHECK(size_of(*full).own_chunks == 6);
}

TEST_CASE("a new checkpoint does not lean on a file that is not as it was written") {
  const auto disk = std::make_shared<faulty_disk>(1);
  REQUIRE(write_checkpoint(disk, 1));
  REQUIRE(disk->cut(in_folder("000001/shard-00000.chunks"), 50));
  const auto written = write_checkpoint(disk, 2);
  REQUIRE(written);
  CHECK(size_of(*written).own_chunks == 4); // all of shard 0, one of shard 1
  CHECK(checkpoint_store(disk, checkpoint_folder).check(*written, check_depth::chunks).empty());
}

TEST_CASE("any one bit flipped in any file is found, and the checkpoint before is used") {
  const auto disk = std::make_shared<faulty_disk>(1);
  const checkpoint_store store(disk, checkpoint_folder);
  const auto first = write_checkpoint(disk, 1);
  const auto second = write_checkpoint(disk, 2);
  REQUIRE(first);
  REQUIRE(second);
  std::uint64_t bits = 0;
  for (const auto& path : files_below(*disk, checkpoint_folder))
    for (std::uint64_t bit = 0; bit < length_of(*disk, path) * 8; ++bit) {
      CAPTURE(path);
      CAPTURE(bit);
      REQUIRE(disk->flip_bit(in_folder(path), bit));
      const auto good = store.latest_good(nullptr);
      const auto newest = store.manifest(2);
      if (path.starts_with("000002/")) {
        REQUIRE(good);
        CHECK(good->manifest == *first);
        REQUIRE(good->passed_over.size() == 1);
        CHECK(good->passed_over[0].find(path) != std::string::npos);
      } else if (path == "000001/manifest") {
        REQUIRE(good); // the second needs it no more
        CHECK(good->manifest == *second);
        CHECK(store.manifest(1).failure().code == errc::malformed_data);
      } else {
        CHECK(store.check(*first, check_depth::chunks).size() == 1);
        CHECK((!good || good->manifest == *second)); // if the bit is of a chunk that changed
        CHECK(static_cast<bool>(good) == store.check(*second, check_depth::chunks).empty());
        if (!good) CHECK(good.failure().text.find(path) != std::string::npos);
      }
      REQUIRE(disk->flip_bit(in_folder(path), bit));
      ++bits;
    }
  CHECK(bits > 10'000);
  CHECK(store.latest_good(nullptr)->manifest == *second);
}

TEST_CASE("any file cut off anywhere is found, and the checkpoint before is used") {
  const auto original = std::make_shared<faulty_disk>(1);
  REQUIRE(write_checkpoint(original, 1));
  REQUIRE(write_checkpoint(original, 2));
  for (const std::string path : {"000002/manifest", "000002/shard-00000.chunks"})
    for (auto size = length_of(*original, path); size-- > 0;) {
      CAPTURE(path);
      CAPTURE(size);
      REQUIRE(original->cut(in_folder(path), size));
      const auto good = checkpoint_store(original, checkpoint_folder).latest_good(nullptr);
      REQUIRE(good);
      CHECK(good->manifest.number == 1);
      CHECK(good->passed_over.size() == 1);
    }
}

TEST_CASE("damage is named by file, place and chunk") {
  const auto disk = std::make_shared<faulty_disk>(1);
  const checkpoint_store store(disk, checkpoint_folder);
  const auto written = write_checkpoint(disk, 1);
  REQUIRE(written);
  REQUIRE(disk->flip_bit(in_folder("000001/shard-00001.chunks"), std::uint64_t{59} * 8));
  const auto damages = store.check(*written, check_depth::chunks);
  REQUIRE(damages.size() == 1);
  CHECK(to_string(damages[0]) == "000001/shard-00001.chunks, bytes 40..59: chunk 0 is damaged: its "
                                 "checksum is wrong");
  CHECK(store.check(*written, check_depth::files).empty());
  CHECK(store.read(written->shards[1][0]).failure().code == errc::malformed_data);
  REQUIRE(disk->remove(in_folder("000001/shard-00000.chunks")));
  const auto more = store.check(*written, check_depth::chunks);
  REQUIRE(more.size() == 2);
  CHECK(to_string(more[0]) == "000001/shard-00000.chunks: the file is missing");
  const auto good = store.latest_good(nullptr);
  REQUIRE(!good);
  CHECK(good.failure().text ==
        "there is no checkpoint in '/checkpoints/job' to go on from; checkpoint 000001 cannot be "
        "used: 000001/shard-00000.chunks: the file is missing (and 1 more); put its files back "
        "from a copy, or begin anew elsewhere");
}

TEST_CASE("a checkpoint of another model is passed over, and said so") {
  const auto disk = std::make_shared<env::memory_disk>();
  REQUIRE(write_checkpoint(disk, 1));
  auto wanted = small_model();
  const checkpoint_store store(disk, checkpoint_folder);
  CHECK(store.latest_good(&wanted));
  wanted.config += "more = 1\n";
  const auto good = store.latest_good(&wanted);
  REQUIRE(!good);
  CHECK(good.failure().text.find("is of another model: '' there, 'more = 1' here") !=
        std::string::npos);
}

TEST_CASE("what makes no checkpoint is refused, and nothing of it stays") {
  const auto disk = std::make_shared<env::memory_disk>();
  const auto refused = [&](const std::vector<checkpoint_chunk>& chunks) {
    const auto written = write_checkpoint(disk, 1, chunks);
    REQUIRE(!written);
    CHECK(written.failure().code == errc::invalid_argument);
    CHECK(disk->list_folders(checkpoint_folder)->empty());
    return written.failure().text;
  };
  CHECK(refused({{0, 0, 1, "a"}}).find("of 2 shards has chunks of 1; shard 1 is the first") !=
        std::string::npos);
  CHECK(refused({{0, 0, 1, "a"}, {2, 0, 1, "a"}}).find("shard 1 is the first") !=
        std::string::npos);
  CHECK(refused({{0, 0, 1, "a"}, {1, 0, 1, "a"}, {2, 0, 1, "a"}}).find("shard 2 is the first") !=
        std::string::npos);
  CHECK(refused({{1, 3, 1, "a"}, {1, 3, 1, "b"}}) == "chunk 3 of shard 1 came twice");
  CHECK(refused({{5000, 3, 1, "a"}}).starts_with("a chunk of shard 5000"));
}

TEST_CASE("what a crash left is cleared away when the next begins, but nothing below a manifest") {
  const auto disk = std::make_shared<faulty_disk>(1);
  REQUIRE(write_checkpoint(disk, 1));
  for (int crash = 0; crash < 5; ++crash) {
    auto writer = checkpoint_writer::begin(disk, checkpoint_folder);
    REQUIRE(writer);
    for (const auto& chunk : chunks_at(2))
      REQUIRE(writer->add(chunk));
    REQUIRE(disk->list_folders(checkpoint_folder)->size() == 2); // its own and the first
  }
  REQUIRE(write_checkpoint(disk, 3));
  const auto newest = *checkpoint_store(disk, checkpoint_folder).numbers();
  REQUIRE(disk->flip_bit(in_folder(checkpoint_name(newest.back()) + "/manifest"), 99));
  const auto before = files_below(*disk, checkpoint_folder);
  REQUIRE(checkpoint_writer::begin(disk, checkpoint_folder));
  CHECK(files_below(*disk, checkpoint_folder) == before);
}
