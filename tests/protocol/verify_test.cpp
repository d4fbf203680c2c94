/// A clock log shows that a rule was broken, whichever it is; and one that was tampered with is
/// told from one that was not.

#include "actors/record/recorder.hpp"
#include "actors/record/verify.hpp"
#include "tests/support/shard_bench.hpp"

#include <capnp/serialize.h>

using namespace gradmesh;
using testing::shard_bench;
using strategy = config::strategy;

namespace {

using options = std::function<void(config::job_section&)>;

/// A shard that writes down what it does, in memory.
struct recorded_shard {
  recorded_shard(strategy s, std::size_t workers, const options& change = {},
                 std::optional<rule> broken = {})
      : bench(s, workers, config::value_format::float32, change, without(broken)),
        progress(std::make_shared<record::write_progress>()) {
    record::plan_record plan{.shard = 0, .epoch = 1, .rules_off = {}, .plan = {}};
    const auto frame = job::encode(bench.plan).build({}, {}, 0, mesh::lane::control);
    const auto words = std::as_bytes(std::span(frame.metadata));
    plan.plan.assign(reinterpret_cast<const char*>(words.data()), words.size());
    bench.shard->tell(std::make_unique<record::recorder>(
        plan,
        [this](const std::string& block, bool) {
          progress->waiting_bytes -= block.size();
          log += block;
        },
        progress));
  }

  static rule_set without(std::optional<rule> broken) {
    rule_set rules;
    if (broken) rules.break_rule(*broken);
    return rules;
  }

  /// A read that the shard allows now; its clock is kept for the push.
  void read(std::uint32_t rank, std::uint64_t clock, std::uint64_t for_push) {
    bench.answers.clear();
    REQUIRE(bench.pull(clock, {5}, 1, rank, for_push));
    REQUIRE_FALSE(bench.answers.empty());
    read_clock[rank] = bench.shard->clock();
  }
  void read(std::uint32_t rank, std::uint64_t clock) { read(rank, clock, clock + 1); }
  void push(std::uint32_t rank, std::uint64_t sequence) { push(rank, sequence, sequence); }
  /// One that was computed with so many of the worker's own steps.
  void push(std::uint32_t rank, std::uint64_t sequence, std::uint64_t own_steps) {
    REQUIRE(bench.push({.rank = rank,
                        .sequence = sequence,
                        .read_clock = read_clock[rank],
                        .own_steps = own_steps}));
  }
  /// A read that leaves it to the worker to add its own pushes.
  void read_ahead(std::uint32_t rank, std::uint64_t clock) {
    REQUIRE(bench.read_ahead(rank, clock));
    read_clock[rank] = bench.shard->clock();
  }
  void step(std::uint32_t rank, std::uint64_t clock) {
    read(rank, clock);
    push(rank, clock);
  }

  /// What is wrong; empty if nothing is.
  std::string verdict() {
    bench.shard->end_record(record::ending::job_over);
    const record::named_log logs[] = {{"clock.0", log}};
    const auto verified = record::verify(logs);
    return verified ? "" : verified.failure().text;
  }
  bool complains_of(const std::string& what) {
    const auto text = verdict();
    CAPTURE(text);
    const bool does = text.find(what) != std::string::npos;
    CHECK(does);
    return does;
  }

  shard_bench bench;
  std::shared_ptr<record::write_progress> progress;
  std::string log;
  std::map<std::uint32_t, std::uint64_t> read_clock;
};

options staleness(std::uint32_t s) {
  return [=](config::job_section& job) { job.staleness = s; };
}
options delay(std::uint32_t tau) {
  return [=](config::job_section& job) { job.delay = tau; };
}
options backups(std::uint32_t b) {
  return [=](config::job_section& job) { job.backup_workers = b; };
}

} // namespace

TEST_CASE("what a shard does by the rules is found to be so") {
  for (const auto s : {strategy::bsp, strategy::ssp, strategy::async}) {
    recorded_shard shard(s, 2);
    for (std::uint64_t clock = 0; clock < 3; ++clock) {
      shard.read(0, s == strategy::async ? 0 : clock, clock + 1);
      shard.read(1, s == strategy::async ? 0 : clock, clock + 1);
      shard.push(1, clock);
      shard.push(0, clock);
      shard.push(0, clock); // comes again
    }
    CHECK(shard.verdict() == "");
  }
  for (const auto s : {strategy::bsp, strategy::ssp}) {
    recorded_shard shard(s, 2);
    shard.step(0, 0);
    shard.step(1, 0);
    shard.read(0, 0); // a request that comes again, of a worker that has pushed
    shard.read(0, 1);
    shard.push(0, 1);
    CHECK(shard.verdict() == "");
  }
  recorded_shard delayed(strategy::bounded_delay, 2, delay(1));
  delayed.read(0, 0);
  delayed.step(1, 0);
  delayed.push(0, 0);
  delayed.step(0, 1);
  CHECK(delayed.verdict() == "");
  recorded_shard backed_up(strategy::bsp, 3, backups(1));
  for (std::uint32_t rank = 0; rank < 3; ++rank)
    backed_up.read(rank, 0);
  for (std::uint32_t rank = 0; rank < 3; ++rank)
    backed_up.push(rank, 0);
  backed_up.read(0, 1);
  CHECK(backed_up.verdict() == "");
}

TEST_CASE("every rule that a shard breaks shows in its log") {
  SUBCASE("bsp: a step without a push that it needs") {
    recorded_shard shard(strategy::bsp, 2, {}, rule::step_complete);
    shard.step(0, 0);
    shard.complains_of("step 0 was applied with the pushes of 1 workers");
  }
  SUBCASE("bsp: a read one step too early") {
    recorded_shard shard(strategy::bsp, 2, {}, rule::read_waits);
    shard.step(0, 0);
    shard.read(0, 1);
    shard.complains_of("worker 0, shard clock 0: it read 0 whole steps at its clock 1");
  }
  SUBCASE("bsp: a sum in another order") {
    recorded_shard shard(strategy::bsp, 2, {}, rule::rank_order);
    shard.step(0, 0);
    shard.step(1, 0);
    shard.complains_of("step 0 was not summed in the order of the ranks (1, 0)");
  }
  SUBCASE("bsp with backup workers: a late push applied all the same") {
    recorded_shard shard(strategy::bsp, 2, backups(1), rule::late_dropped);
    shard.read(1, 0);
    shard.step(0, 0);
    shard.push(1, 0);
    shard.complains_of("worker 1, part 0 of push 0: applied by itself at shard clock 1");
  }
  SUBCASE("ssp: a read when one worker is a clock too far behind") {
    recorded_shard shard(strategy::ssp, 2, staleness(1), rule::staleness_bound);
    shard.step(0, 0);
    shard.step(0, 1);
    shard.read(0, 2);
    shard.complains_of("it read at its clock 2 when worker 1 had completed 0 steps; staleness 1 "
                       "wants 1");
  }
  SUBCASE("ssp: a read without the worker's own writes") {
    recorded_shard shard(strategy::ssp, 2, staleness(3), rule::read_my_writes);
    shard.read(0, 0);
    shard.read(0, 1);
    shard.complains_of("it read at its clock 1 without its own writes");
  }
  SUBCASE("bounded delay: a task one too early") {
    recorded_shard shard(strategy::bounded_delay, 2, delay(0), rule::delay_bound);
    shard.read(0, 0);
    shard.read(1, 0);
    shard.complains_of("it began task 1 (its clock 0) when task 0 was missing; delay 0 allows "
                       "none before task 1 to be");
  }
  SUBCASE("a part applied twice") {
    for (const auto s : {strategy::bsp, strategy::ssp, strategy::async}) {
      recorded_shard shard(s, 1, {}, rule::push_once);
      shard.step(0, 0);
      shard.push(0, 0);
      shard.complains_of("worker 0, part 0 of push 0: applied again at shard clock 1");
    }
  }
}

TEST_CASE("a worker that reads ahead of its own pushes is found to have added each once") {
  const auto verdict_on = [](std::uint64_t own_steps) {
    recorded_shard shard(strategy::ssp, 2, staleness(3));
    shard.read_ahead(0, 0);
    const auto of_first = shard.read_clock[0];
    shard.read_ahead(0, 1);
    const auto of_second = std::exchange(shard.read_clock[0], of_first);
    shard.push(0, 0);
    shard.read_clock[0] = of_second;
    shard.push(0, 1, own_steps);
    return shard.verdict();
  };
  CHECK(verdict_on(1) == "");
  CHECK(verdict_on(0).find("worker 0, part 0 of push 1: computed from parameters with 0 of the "
                           "worker's own steps instead of 1") != std::string::npos);
  CHECK(verdict_on(2).find("with 2 of the worker's own steps instead of 1") != std::string::npos);
}

TEST_CASE("what a worker was told of its own pushes is compared with what was there") {
  const shard_bench bench(strategy::ssp, 2, config::value_format::float32, staleness(3));
  const auto fault_of = [&](const std::vector<record::event>& events) {
    record::log_checker checker(bench.plan);
    for (const auto& e : events)
      if (const auto ok = checker.add(e); !ok) return ok.failure().text;
    return std::string();
  };
  const auto read = [](std::uint64_t clock, std::uint64_t own_missing, std::uint64_t at = 0) {
    return record::read_record{
        .for_push = clock + 1, .clock_asked = clock, .clock = at, .own_missing = own_missing};
  };
  const auto part = [](std::uint32_t number, std::uint64_t at = 0) {
    return record::push_record{.part = number, .count = 2, .clock = at, .pieces = 1};
  };
  CHECK(fault_of({read(0, 0), read(1, 1)}) == "");
  CHECK(fault_of({read(0, 0), read(1, 2)}).find("from 1 on were missing; 0 were applied whole") !=
        std::string::npos);
  CHECK(fault_of({read(0, 0), part(0), read(1, 1)})
            .find("0 were applied whole, and something of "
                  "1") != std::string::npos);
  CHECK(fault_of({read(0, 0), part(0), part(1), read(1, 1, 1)}).find("1 were applied whole") !=
        std::string::npos);
  CHECK(fault_of({read(0, 0), part(0), part(1), read(2, 2, 1)}) == "");
  const shard_bench async(strategy::async, 2);
  record::log_checker checker(async.plan);
  CHECK(
      checker.add(read(0, 1)).failure().text.find("it read ahead of its own writes under async") !=
      std::string::npos);
}

TEST_CASE("a push says truly when its values were read") {
  recorded_shard shard(strategy::async, 1);
  shard.step(0, 0);
  shard.read(0, 0, 2);
  shard.read_clock[0] = 0; // it was 1
  shard.push(0, 1);
  shard.complains_of("it says that it read at shard clock 0; it read at 1");
  recorded_shard blind(strategy::async, 1);
  blind.push(0, 0);
  blind.complains_of("the worker never read for it");
}

TEST_CASE("a log that was cut or edited anywhere is refused by its name") {
  recorded_shard shard(strategy::async, 2);
  for (std::uint64_t clock = 0; clock < 4; ++clock)
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      shard.read(rank, 0, clock + 1);
      shard.push(rank, clock);
    }
  REQUIRE(shard.verdict() == "");
  const auto fault_of = [](const std::string& bytes) {
    const record::named_log logs[] = {{"clock.0", bytes}};
    const auto verified = record::verify(logs);
    REQUIRE_FALSE(verified);
    CHECK(verified.failure().code == errc::malformed_data);
    return verified.failure().text;
  };
  for (std::size_t bytes = 0; bytes < shard.log.size(); ++bytes)
    CHECK(fault_of(shard.log.substr(0, bytes)).starts_with("clock.0"));
  for (std::size_t at = 0; at < shard.log.size(); ++at) {
    auto edited = shard.log;
    edited[at] = static_cast<char>(edited[at] ^ 1);
    CHECK(fault_of(edited).starts_with("clock.0"));
  }
  CHECK(fault_of(shard.log + "x").find("1 bytes follow the end") != std::string::npos);
  const auto cut = shard.log.substr(0, shard.log.size() - 1);
  CHECK(fault_of(cut).find("block 1, byte ") != std::string::npos);
}

TEST_CASE("a recording that the disk does not follow ends with a gap that is named") {
  recorded_shard shard(strategy::async, 1);
  shard.progress->waiting_bytes = record::recorder::waiting_bytes_max;
  for (std::size_t reads = 0; shard.progress->lost_events == 0; ++reads) {
    REQUIRE(reads < 100'000);
    shard.read(0, 0, 0);
  }
  shard.complains_of(" events were not written down, because the disk could not follow");
}

TEST_CASE("a record that ends before the training is over is no proof of the rest") {
  recorded_shard shard(strategy::async, 2);
  for (std::uint64_t clock = 0; clock < 3; ++clock)
    shard.step(0, clock);
  shard.bench.shard->end_record(record::ending::moved);
  shard.complains_of("shard 0: the record ends here, at shard clock 3, before the training was "
                     "over: another server has the shard");
  recorded_shard wrong(strategy::async, 1, {}, rule::push_once);
  wrong.step(0, 0);
  wrong.push(0, 0);
  wrong.bench.shard->end_record(record::ending::moved);
  wrong.complains_of("applied again"); // what is wrong before that is told first
  recorded_shard whole(strategy::async, 1);
  for (std::uint64_t clock = 0; clock < whole.bench.plan.steps; ++clock)
    whole.step(0, clock);
  whole.bench.shard->end_record(record::ending::moved); // nothing that it says ever was elsewhere
  CHECK(whole.verdict() == "");
}

TEST_CASE("logs that do not belong together are refused") {
  recorded_shard one(strategy::async, 1);
  recorded_shard other(strategy::bsp, 1);
  CHECK(one.verdict() == "");
  CHECK(other.verdict() == "");
  const record::named_log both[] = {{"a.0", one.log}, {"b.0", other.log}};
  CHECK(record::verify(both).failure().text ==
        "a.0 and b.0 are not of the same job; if one is left from an earlier run, remove it");
  const record::named_log twice[] = {{"a.0", one.log}, {"a.0", one.log}};
  CHECK(record::verify(twice).failure().text == "a.0 is of shard 0 again");
  CHECK(record::verify({}).failure().code == errc::invalid_argument);
}
