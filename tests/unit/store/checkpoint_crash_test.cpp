/// The disk fails in every way at every step of the writer: the newest complete checkpoint is
/// always found, and is whole.

#include "tests/unit/store/checkpoint_support.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;
using namespace gradmesh::store;
using namespace gradmesh::testing;
using simulation::faulty_disk;

namespace {

constexpr std::uint64_t checkpoints = 4;
constexpr std::uint64_t kept = 2;

/// Writes checkpoints and takes old ones away until the disk fails. The number of the last that was
/// reported as done; 0: none.
std::uint64_t work(const std::shared_ptr<faulty_disk>& disk) {
  std::uint64_t done = 0;
  for (std::uint64_t number = 1; number <= checkpoints; ++number) {
    if (!write_checkpoint(disk, number)) return done;
    done = number;
    if (!retain_checkpoints(disk, checkpoint_folder, kept)) return done;
  }
  return done;
}

std::uint64_t steps_of_all() {
  const auto disk = std::make_shared<faulty_disk>(1);
  REQUIRE(work(disk) == checkpoints);
  return disk->steps();
}

void check_newest(const std::shared_ptr<faulty_disk>& disk, std::uint64_t done) {
  const checkpoint_store store(disk, checkpoint_folder);
  const auto numbers = store.numbers();
  REQUIRE(numbers);
  for (const auto number : *numbers) // none has a hole
    if (const auto manifest = store.manifest(number))
      CHECK(store.check(*manifest, check_depth::chunks).empty());
    else
      CHECK(manifest.failure().code == errc::not_found);
  const auto good = store.latest_good(nullptr);
  if (!good) {
    CHECK(done == 0);
    return;
  }
  CHECK(good->passed_over.empty());
  const auto number = good->manifest.number;
  CHECK((number == done || number == done + 1)); // it may have been done and not reported
  CHECK(contents_of(store, good->manifest) == contents_of(chunks_at(number)));
}

/// It goes on as if nothing had been, and leaves no rubbish.
void check_goes_on(const std::shared_ptr<faulty_disk>& disk) {
  const auto next = write_checkpoint(disk, 50);
  REQUIRE(next);
  REQUIRE(retain_checkpoints(disk, checkpoint_folder, 1));
  const checkpoint_store store(disk, checkpoint_folder);
  CHECK(contents_of(store, *next) == contents_of(chunks_at(50)));
  CHECK(files_below(*disk, checkpoint_folder).size() == next->files.size() + 1);
}

} // namespace

TEST_CASE("a crash at any step of writing or of taking away leaves the newest checkpoint whole") {
  const auto steps = steps_of_all();
  CHECK(steps > 80);
  for (std::uint64_t at = 0; at < steps; ++at)
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
      CAPTURE(at);
      CAPTURE(seed);
      const auto disk = std::make_shared<faulty_disk>(seed);
      disk->stop_after(at);
      const auto done = work(disk);
      REQUIRE(disk->stopped());
      disk->crash();
      check_newest(disk, done);
      check_goes_on(disk);
    }
}

TEST_CASE("a full disk stops the checkpoint, leaves those before, and gives its space back") {
  const auto disk = std::make_shared<faulty_disk>(1);
  REQUIRE(write_checkpoint(disk, 1));
  const auto before = files_below(*disk, checkpoint_folder);
  std::uint64_t space = 0;
  for (;; ++space) {
    disk->set_space(space);
    const auto written = write_checkpoint(disk, 2);
    if (written) break;
    CHECK(written.failure().code == errc::io_failed);
    CHECK(written.failure().text.find("No space left on device") != std::string::npos);
    CHECK(files_below(*disk, checkpoint_folder) == before);
    check_newest(disk, 1);
  }
  CHECK(space > 1000);
  check_newest(disk, 2);
}

TEST_CASE("a sync that fails stops the checkpoint, and the next is whole after a crash") {
  bool some_failed = false;
  for (std::uint64_t at = 0; at < 30; ++at)
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      CAPTURE(at);
      CAPTURE(seed);
      const auto disk = std::make_shared<faulty_disk>(seed);
      REQUIRE(write_checkpoint(disk, 1));
      auto writer = checkpoint_writer::begin(disk, checkpoint_folder);
      REQUIRE(writer);
      for (const auto& chunk : chunks_at(2))
        REQUIRE(writer->add(chunk));
      disk->fail_syncs(at % 6);
      const auto written = writer->commit(summary_at(2), 2);
      disk->fail_syncs(0);
      CHECK(static_cast<bool>(written) == (at % 6 == 0));
      some_failed = some_failed || !written;
      if (!written) {
        CHECK(written.failure().text.find("Input/output error") != std::string::npos);
        writer->abandon();
      }
      if (at >= 6) { // and one after it
        const auto next = write_checkpoint(disk, 3);
        REQUIRE(next);
        disk->crash();
        const checkpoint_store store(disk, checkpoint_folder);
        CHECK(store.latest_good(nullptr)->manifest == *next);
        CHECK(contents_of(store, *next) == contents_of(chunks_at(3)));
        continue;
      }
      disk->crash();
      const auto good = checkpoint_store(disk, checkpoint_folder).latest_good(nullptr);
      REQUIRE(good);
      CHECK(good->manifest.number == (written ? 2 : 1));
    }
  CHECK(some_failed);
}
