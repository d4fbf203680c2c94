/// The actor that writes checkpoints, on a disk with faults.

#include "actors/checkpoint/checkpoint_writing.hpp"
#include "tests/unit/store/checkpoint_support.hpp"
#include "tools/simulation/faulty_disk.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <vector>

using namespace gradmesh;
using namespace gradmesh::checkpoint;
using namespace gradmesh::testing;
using simulation::faulty_disk;

namespace {

/// A writer in virtual time, and what it has told.
struct running_writer {
  running_writer() {
    config.set("scheduler.policy", caf::atom("testing"));
    system = std::make_unique<caf::actor_system>(config);
    writer = system->spawn(
        checkpoint_writing, std::shared_ptr<env::disk>(disk),
        [this](env::severity, std::string_view text) { lines.emplace_back(text); },
        checkpoint_settings{checkpoint_folder, 2, {}},
        [this](const checkpoint_event& event) {
          if (const auto* some = std::get_if<checkpoint_taken>(&event)) taken += some->bytes;
          if (const auto* one = std::get_if<checkpoint_done>(&event)) done.push_back(*one);
          if (const auto* one = std::get_if<checkpoint_failed>(&event)) failed.push_back(*one);
        });
  }
  ~running_writer() {
    writer = nullptr;
    settle();
  }

  template <class Message>
  void send(Message message) {
    caf::anon_send(writer, std::move(message));
  }
  void settle() { dynamic_cast<caf::scheduler::test_coordinator&>(system->scheduler()).run(); }
  void give(std::uint64_t ticket, std::uint64_t step) {
    for (auto& chunk : chunks_at(step)) {
      given += chunk.bytes.size();
      send(checkpoint_part{ticket,
                           std::make_shared<const store::checkpoint_chunk>(std::move(chunk))});
    }
  }
  void end(std::uint64_t ticket, std::uint64_t step, std::uint32_t shards = 2) {
    send(checkpoint_end{ticket, std::make_shared<const store::checkpoint_summary>(summary_at(step)),
                        shards});
    settle();
  }
  void write(std::uint64_t ticket, std::uint64_t step) {
    send(checkpoint_begin{ticket});
    give(ticket, step);
    end(ticket, step);
  }
  std::uint64_t newest_step() {
    const auto good = store::checkpoint_store(disk, checkpoint_folder).latest_good(nullptr);
    return good ? good->manifest.summary.step : 0;
  }

  std::shared_ptr<faulty_disk> disk = std::make_shared<faulty_disk>(1);
  std::vector<std::string> lines;
  std::uint64_t given = 0;
  std::uint64_t taken = 0;
  std::vector<checkpoint_done> done;
  std::vector<checkpoint_failed> failed;
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  checkpoint_writer_actor writer;
};

} // namespace

TEST_CASE("a checkpoint is written as its chunks come, and old ones go") {
  running_writer running;
  for (std::uint64_t step = 1; step <= 4; ++step)
    running.write(step * 10, step);
  REQUIRE(running.done.size() == 4);
  CHECK(running.failed.empty());
  CHECK(running.taken == running.given);
  const auto& last = running.done.back();
  CHECK(last.ticket == 40);
  CHECK(last.number == 4);
  CHECK(last.size.own_chunks == 2);
  CHECK(last.removed.checkpoints == 1);
  CHECK(!last.not_removed);
  CHECK(running.newest_step() == 4);
}

TEST_CASE("a full disk fails a checkpoint once and by name, and the next is written") {
  running_writer running;
  running.write(1, 1);
  running.disk->set_space(100);
  running.write(2, 2);
  REQUIRE(running.failed.size() == 1);
  CHECK(running.failed[0].ticket == 2);
  CHECK(running.failed[0].why.text.find("No space left on device") != std::string::npos);
  REQUIRE(running.lines.size() == 1);
  CHECK(running.lines[0].starts_with("checkpoint: none was written, the training goes on: "));
  CHECK(running.taken == running.given);
  CHECK(running.newest_step() == 1);
  running.disk->set_space(1U << 20);
  running.write(3, 3);
  CHECK(running.failed.size() == 1);
  CHECK(running.newest_step() == 3);
}

TEST_CASE("a sync that fails, a missing shard and a folder that cannot be made are failures") {
  running_writer running;
  running.disk->fail_syncs(1);
  running.write(1, 1);
  running.send(checkpoint_begin{2});
  running.give(2, 2);
  running.disk->fail_syncs(1);
  running.end(2, 2);
  running.disk->fail_syncs(0);
  running.send(checkpoint_begin{3});
  running.give(3, 3);
  running.end(3, 3, 3);
  CHECK(running.failed.size() == 3);
  CHECK(running.done.empty());
  CHECK(running.taken == running.given);
  CHECK(running.newest_step() == 0);
  running.write(4, 4);
  CHECK(running.newest_step() == 4);
}

TEST_CASE("what is of an older ticket is dropped, and a new one ends the one before") {
  running_writer running;
  running.send(checkpoint_begin{1});
  running.give(1, 1);
  running.write(2, 2);
  running.end(1, 1);
  running.send(checkpoint_begin{1});
  running.give(1, 1);
  running.end(2, 2);
  CHECK(running.done.size() == 1);
  CHECK(running.newest_step() == 2);
  CHECK(running.taken == running.given);
  running.send(checkpoint_begin{3});
  running.give(3, 3);
  running.send(checkpoint_drop{3});
  running.end(3, 3);
  CHECK(running.done.size() == 1);
  CHECK(running.disk->list_folders(checkpoint_folder)->size() == 1);
}
