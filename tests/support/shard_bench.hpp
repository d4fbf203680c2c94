#pragma once

/// One shard's job with its workers, all on one router, so that answers come back at once: for
/// tests that say message by message what comes.

#include "actors/env/network/memory_network.hpp"
#include "actors/server_shard/shard_job.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace gradmesh::testing {

using mesh::message;

inline constexpr mesh::service_id worker_service{mesh::service_kind::worker, 0};
inline constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};

struct shard_bench {
  static std::shared_ptr<mesh::router> lone_router() {
    env::network_options links;
    links.self = {{1}, 1};
    links.node_name = "test";
    const auto hub = std::make_shared<env::memory_hub>();
    return std::make_shared<mesh::router>(
        links.self, std::shared_ptr<env::network>(env::make_memory_network(hub, links)));
  }

  /// `change` has the last word on the job file.
  explicit shard_bench(config::strategy strategy, std::size_t workers = 2,
                       config::value_format format = config::value_format::float32,
                       const std::function<void(config::job_section&)>& change = {},
                       const rule_set& rules = {},
                       const std::string& optimizer = "type = sgd\nlearning_rate = 1\n")
      : router(lone_router()) {
    plan.job_id = 1;
    plan.config = *config::parse_job("[optimizer]\n" + optimizer, "test").value;
    plan.config.job.strategy = strategy;
    plan.config.job.push_as = plan.config.job.pull_as = format;
    if (change) change(plan.config.job);
    shard_format = job::transfer_format_of(format);
    plan.shape = {learning::layout::sparse, 100, 2};
    plan.tables = {{"weights", learning::table_kind::sparse, 2},
                   {"bias", learning::table_kind::dense, 2}};
    plan.partitions = 4;
    plan.layout = job::unreplicated({{router->local(shard_service), "shard"}});
    for (std::uint16_t w = 0; w < workers; ++w) {
      const mesh::service_id service{mesh::service_kind::worker, w};
      plan.workers.push_back({router->local(service), "worker"});
      router->bind(service, [this](const mesh::frame_ptr& f) {
        answers.push_back(f);
        return result<void>();
      });
    }
    plan.data_servers = {{router->local({mesh::service_kind::data_server, 0}), "data"}};
    plan.pieces = static_cast<std::uint32_t>(workers);
    plan.steps_per_epoch = plan.steps = 10;
    auto made = server_shard::shard_job::make(plan, 0, router, rules);
    REQUIRE(made);
    shard = std::move(*made);
  }

  struct push_content {
    std::uint32_t rank = 0;
    std::uint64_t sequence = 0;
    std::vector<std::uint64_t> keys{5};
    std::vector<float> values{1, 1, 2, 2}; // bias, then the row
    std::uint64_t read_clock = 0;
    std::uint64_t job_id = 1;
    std::uint64_t own_steps = 0;
  };

  template <class T>
  message<T> as_received(mesh::draft<T>& draft, std::uint32_t rank) {
    const mesh::service_id from{mesh::service_kind::worker, static_cast<std::uint16_t>(rank)};
    return as_received<T>(draft.build(router->local(shard_service), from, 0, mesh::lane::bulk));
  }

  template <class T>
  message<T> as_received(mesh::frame frame) {
    frame.header.from = router->self();
    frame.header.message_id = 1;
    auto decoded = message<T>::decode(std::make_shared<const mesh::frame>(std::move(frame)));
    REQUIRE(decoded);
    return *decoded;
  }

  /// The bias as part 0 and the rows of the keys as part 1, in one message.
  result<void> push(const push_content& p) {
    mesh::draft<schema::Push> draft;
    draft->setJobId(p.job_id);
    draft->setLayout(layout);
    draft->setRank(p.rank);
    auto parts = draft->initParts(2);
    for (unsigned i = 0; i < 2; ++i) {
      parts[i].setSequence(p.sequence);
      parts[i].setReadClock(p.read_clock);
      parts[i].setNumber(i);
      parts[i].setCount(2);
      set_batch(parts[i], p);
    }
    parts[0].initPart().setBlock(0);
    auto keys = parts[1].initPart().initKeys();
    keys.setCount(p.keys.size());
    keys.setSent(true);
    const auto body = mesh::allocate_body(p.keys.size() * 8 + p.values.size() * 4);
    const auto bias = std::min<std::size_t>(2, p.values.size());
    std::copy_n(p.values.begin(), bias, body.as<float>(0, bias).begin());
    std::copy(p.keys.begin(), p.keys.end(), body.as<std::uint64_t>(8, p.keys.size()).begin());
    std::copy(p.values.begin() + static_cast<std::ptrdiff_t>(bias), p.values.end(),
              body.as<float>(8 + p.keys.size() * 8, p.values.size() - bias).begin());
    draft.body = body.share();
    return shard->push(as_received(draft, p.rank));
  }

  /// One of the two parts that `push` sends, in a message of its own.
  result<void> push_part(std::uint32_t number, const push_content& p, std::uint32_t count = 2,
                         std::uint32_t block = 0) {
    mesh::draft<schema::Push> draft;
    draft->setJobId(p.job_id);
    draft->setLayout(layout);
    draft->setRank(p.rank);
    auto part = draft->initParts(1)[0];
    part.setSequence(p.sequence);
    part.setReadClock(p.read_clock);
    part.setNumber(number);
    part.setCount(count);
    set_batch(part, p);
    const bool dense = number == 0;
    const auto body = mesh::allocate_body(dense ? 8 : 16);
    if (dense) {
      part.initPart().setBlock(block);
    } else {
      auto keys = part.initPart().initKeys();
      keys.setCount(1);
      keys.setSent(true);
      body.as<std::uint64_t>(0, 1)[0] = p.keys[0];
    }
    std::copy_n(p.values.begin() + (dense ? 0 : 2), 2, body.as<float>(dense ? 0 : 8, 2).begin());
    draft.body = body.share();
    return shard->push(as_received(draft, p.rank));
  }

  result<void> pull(std::uint64_t clock, const std::vector<std::uint64_t>& keys,
                    std::uint64_t claimed_keys, std::uint32_t rank = 0, std::uint64_t for_push = 0,
                    bool adds_own = false) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setLayout(layout);
    draft->setRank(rank);
    draft->setClock(clock);
    draft->setForPush(for_push);
    draft->setAddsOwn(adds_own);
    auto parts = draft->initParts(2);
    parts[0].setBlock(0);
    parts[1].setNumber(1);
    parts[1].initKeys().setCount(claimed_keys);
    parts[1].getKeys().setSent(true);
    const auto body = mesh::allocate_body(keys.size() * 8);
    std::copy(keys.begin(), keys.end(), body.as<std::uint64_t>(0, keys.size()).begin());
    draft.body = body.share();
    return shard->pull(as_received(draft, rank));
  }

  /// Whether a worker at this clock is answered at once.
  bool may_read(std::uint32_t rank, std::uint64_t clock) {
    answers.clear();
    REQUIRE(pull(clock, {5}, 1, rank));
    return !answers.empty();
  }

  /// The same for a worker that adds its own pushes: what it is told of those, if it is answered.
  std::optional<std::uint64_t> read_ahead(std::uint32_t rank, std::uint64_t clock) {
    answers.clear();
    REQUIRE(pull(clock, {5}, 1, rank, clock + 1, true));
    return own_missing();
  }
  /// What the first answer says of that.
  std::optional<std::uint64_t> own_missing() {
    if (answers.empty()) return std::nullopt;
    const auto decoded = message<schema::Pulled>::decode(answers.front());
    REQUIRE(decoded);
    return (**decoded).getOwnMissing();
  }

  result<void> push_draft(mesh::draft<schema::Push>& draft) {
    return shard->push(as_received(draft, 0));
  }

  /// Pulls the rows of some keys, with or without sending the keys.
  result<void> pull_named(const std::vector<std::uint64_t>& keys,
                          const parameters::key_list_name& name, bool send_keys) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setLayout(layout);
    auto list = draft->initParts(1)[0].initKeys();
    list.setCount(name.count);
    list.setHash(name.hash);
    list.setSent(send_keys);
    const auto body = mesh::allocate_body(keys.size() * 8);
    std::copy(keys.begin(), keys.end(), body.as<std::uint64_t>(0, keys.size()).begin());
    if (send_keys) draft.body = body.share();
    return shard->pull(as_received(draft, 0));
  }

  /// The dense block as it travels.
  std::span<const std::byte> pulled_block() {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setLayout(layout);
    draft->initParts(1)[0].setBlock(0);
    answers.clear();
    REQUIRE(shard->pull(as_received(draft, 0)));
    const auto format = shard_format;
    return answers.front()->body.bytes.first(parameters::encoded_bytes(format, 2));
  }

  /// Bias and row 5 as a pull sees them now.
  std::vector<float> values() {
    answers.clear();
    REQUIRE(pull(0, {5}, 1));
    REQUIRE(answers.size() == 1);
    const auto bytes = answers.front()->body.bytes;
    const auto* first = reinterpret_cast<const float*>(bytes.data());
    return {first, first + bytes.size() / sizeof(float)};
  }

  /// As if each worker had one piece of each step.
  static void set_batch(schema::PushedPart::Builder part, const push_content& p) {
    part.setStep(p.sequence);
    part.setFirstPiece(p.rank);
    part.setPieces(1);
    part.setOwnSteps(p.own_steps);
  }

  std::uint64_t layout = 1; // of what is sent
  parameters::transfer_format shard_format{};
  std::deque<mesh::frame_ptr> answers;
  std::shared_ptr<mesh::router> router;
  job::job_plan plan;
  std::unique_ptr<server_shard::shard_job> shard;
};

} // namespace gradmesh::testing
