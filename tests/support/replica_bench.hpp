#pragma once

/// Hosts of a shard's replicas, its workers and its coordinator, each on a node of its own, joined
/// by links that deliver when the test says so: for tests of replication that say what comes when,
/// what is lost, and who dies. One shard; everything in one thread.

#include "actors/mesh/receive.hpp"
#include "actors/server_shard/job_replicas.hpp"
#include "tests/support/test_links.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gradmesh::testing {

struct replica_bench {
  static constexpr std::uint8_t coordinator_node = 10;
  static constexpr std::uint8_t worker_node = 11;
  static constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};
  static constexpr mesh::service_id coordinator_service{mesh::service_kind::coordinator, 0};

  struct host {
    std::shared_ptr<mesh::router> router;
    server_shard::replica_host shared;
    std::unique_ptr<server_shard::job_replicas> job;
  };
  /// A push of one row and the bias.
  struct push_content {
    std::uint32_t rank = 0;
    std::uint64_t step = 0;
    std::uint32_t piece = 0; // async; otherwise the worker's
    std::uint64_t key = 0;
    float value = -1;
    std::uint64_t read_clock = 0;
    auto operator<=>(const push_content&) const = default;
  };

  explicit replica_bench(config::strategy strategy, std::size_t workers = 1,
                         const rule_set& rules = {}, const std::string& optimizer = "type = sgd\n",
                         std::size_t waiting_bytes_max = 1u << 20)
      : rules_(rules), waiting_bytes_max_(waiting_bytes_max) {
    plan.job_id = 1;
    plan.config = *config::parse_job("[optimizer]\n" + optimizer, "test").value;
    plan.config.job.strategy = strategy;
    plan.config.job.staleness = 5;
    plan.shape = {learning::layout::sparse, 100, 2};
    plan.tables = {{"weights", learning::table_kind::sparse, 2},
                   {"bias", learning::table_kind::dense, 2}};
    plan.partitions = 4;
    plan.pieces = plan.by_rank() && !plan.sums_steps() ? static_cast<std::uint32_t>(workers) : 4;
    // One for each push, whatever it is divided by.
    plan.config.optimizer.learning_rate = plan.sums_steps() ? 1 : plan.pieces;
    plan.steps_per_epoch = plan.steps = 1000;
    coordinator_ = make_router(coordinator_node);
    coordinator_->bind(coordinator_service, [this](const mesh::frame_ptr& f) {
      told.push_back(f);
      return result<void>();
    });
    workers_ = make_router(worker_node);
    for (std::uint8_t node = 1; node <= 3; ++node)
      start_host(node);
    set_workers(workers);
    plan.data_servers = {{coordinator_->local({mesh::service_kind::data_server, 0}), "data"}};
  }

  void set_workers(std::size_t count) {
    plan.workers.clear();
    for (std::uint16_t rank = 0; rank < count; ++rank) {
      const mesh::service_id service{mesh::service_kind::worker, rank};
      plan.workers.push_back({workers_->local(service), "worker"});
      workers_->bind(service, [this](const mesh::frame_ptr& f) {
        on_answer(f);
        return result<void>();
      });
    }
  }

  // --- the coordinator --------------------------------------------------------------------------

  static std::string name_of(std::uint8_t node) { return "host " + std::to_string(node); }
  job::place place_of(std::uint8_t node) {
    return {{mesh::node_uuid{node}, shard_service}, name_of(node)};
  }
  void set_layout(std::uint64_t number, std::uint8_t primary, std::optional<std::uint8_t> backup,
                  bool synced) {
    job::shard_replicas next{place_of(primary), std::nullopt, synced, number};
    if (backup) next.backup = place_of(*backup);
    if (const auto& before = plan.layout.shards;
        !before.empty() && before[0].primary == next.primary && before[0].backup == next.backup)
      next.pairing = before[0].pairing;
    plan.layout = {number, {next}};
  }
  /// The job begins.
  void begin(std::uint8_t primary, std::optional<std::uint8_t> backup, bool synced = true) {
    set_layout(1, primary, backup, synced);
    for (const auto node : {primary, backup.value_or(primary)})
      send_plan(node);
    run();
    REQUIRE(hosts.at(primary).job);
    plan.begins = false;
  }
  /// Another generation of workers begins with a step, on the same primary and backup.
  void regroup(std::uint64_t first_step, std::uint8_t primary, std::optional<std::uint8_t> backup) {
    publish(primary, backup, backup.has_value());
    run();
    plan.first_step = first_step;
    ++plan.revision;
    for (const auto node : {primary, backup.value_or(primary)})
      send_plan(node);
    run();
  }
  void send_plan(std::uint8_t node) {
    (void)coordinator_->send({mesh::node_uuid{node}, shard_service}, coordinator_service,
                             job::encode(plan));
  }
  /// The next layout goes to all hosts; one that has no job gets the plan.
  void publish(std::uint8_t primary, std::optional<std::uint8_t> backup, bool synced = false) {
    set_layout(plan.layout.number + 1, primary, backup, synced);
    for (auto& [node, h] : hosts) {
      if (links.down.contains(node)) continue;
      if (!h.job) {
        if (node == primary || node == backup) send_plan(node);
        continue;
      }
      mesh::draft<schema::Layout> layout;
      job::encode(plan.layout, plan.job_id, *layout);
      (void)coordinator_->send({mesh::node_uuid{node}, shard_service}, coordinator_service, layout);
    }
  }
  /// Sends what a host has to do for a checkpoint; the stage is set by `set`.
  void stage(std::uint8_t node, std::uint64_t ticket,
             const std::function<void(schema::CheckpointStage::Stage::Builder)>& set) {
    mesh::draft<schema::CheckpointStage> draft;
    draft->setJobId(plan.job_id);
    draft->setLayout(plan.layout.number);
    draft->setTicket(ticket);
    draft->setHoldSeconds(3);
    set(draft->initStage());
    send_to(node, draft);
  }
  template <class T>
  void send_to(std::uint8_t node, const mesh::draft<T>& draft) {
    (void)coordinator_->send({mesh::node_uuid{node}, shard_service}, coordinator_service, draft);
  }
  /// The last message of a kind to the coordinator.
  template <class T>
  std::optional<mesh::message<T>> last_told() {
    for (auto f = told.rbegin(); f != told.rend(); ++f)
      if ((*f)->header.kind == mesh::message_traits<T>::kind) return *mesh::message<T>::decode(*f);
    return std::nullopt;
  }
  /// Whether a primary said that its backup of the present layout has everything.
  bool backup_is_synced() {
    const auto synced = last_told<schema::BackupReport>();
    return synced && (**synced).getSynced() &&
           (**synced).getPairing() == plan.layout.shards[0].pairing;
  }

  // --- hosts ------------------------------------------------------------------------------------

  void start_host(std::uint8_t node) {
    links.down.erase(node);
    auto& h = hosts[node];
    h.job.reset();
    h.router = make_router(node);
    h.shared = {h.router, shard_service, rules_, &registry_, waiting_bytes_max_};
    h.router->bind(shard_service, [this, node](const mesh::frame_ptr& f) {
      receive(hosts.at(node), f);
      return result<void>();
    });
  }
  void kill(std::uint8_t node) {
    links.cut(node);
    hosts.at(node).job.reset();
  }
  server_shard::replica* replica_of(std::uint8_t node) {
    auto& job = hosts.at(node).job;
    if (!job || !job->by_shard().contains(0)) return nullptr;
    return job->by_shard().at(0).get();
  }
  /// Everything that a host has of the shard, as bytes: parameters, state of rules, ledger, clocks.
  std::vector<std::string> image(std::uint8_t node) {
    auto* replica = replica_of(node);
    REQUIRE(replica);
    std::vector<std::string> chunks;
    for (const auto& chunk : replica->job().image())
      chunks.emplace_back(reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size());
    return chunks;
  }
  /// The first element of the row of a key on a host; nothing: it has no row.
  std::optional<float> row(std::uint8_t node, std::uint64_t key) {
    auto* replica = replica_of(node);
    REQUIRE(replica);
    const auto& store = replica->job().parameters().store();
    const auto rows = store.resolve(std::span(&key, 1));
    REQUIRE(rows);
    if (rows->absent() > 0) return std::nullopt;
    std::array<float, 2> values{};
    REQUIRE(store.read_sparse(*rows, values));
    return values[0];
  }

  // --- workers ----------------------------------------------------------------------------------

  /// Sends a push to the primary of the layout; it is in `open` until it is acknowledged.
  void push(const push_content& p, std::optional<std::uint64_t> layout = std::nullopt) {
    const auto share = plan.by_rank() ? job::pieces_of_worker(plan, p.rank)
                                      : job::piece_range{p.piece, p.piece + 1};
    mesh::draft<schema::Push> draft;
    draft->setJobId(1);
    draft->setLayout(layout.value_or(plan.layout.number));
    draft->setRank(p.rank);
    auto parts = draft->initParts(2);
    for (unsigned i = 0; i < 2; ++i) {
      parts[i].setSequence(p.step);
      parts[i].setNumber(i);
      parts[i].setCount(2);
      parts[i].setReadClock(p.read_clock);
      parts[i].setStep(p.step);
      parts[i].setFirstPiece(share.first);
      parts[i].setPieces(share.last - share.first);
    }
    parts[0].initPart().setBlock(0);
    auto keys = parts[1].initPart().initKeys();
    keys.setCount(1);
    keys.setSent(true);
    const auto body = mesh::allocate_body(24);
    std::ranges::fill(body.as<float>(0, 2), p.value);
    body.as<std::uint64_t>(8, 1)[0] = p.key;
    std::ranges::fill(body.as<float>(16, 2), p.value);
    draft.body = body.share();
    open.insert(p);
    const mesh::service_id from{mesh::service_kind::worker, static_cast<std::uint16_t>(p.rank)};
    const auto sent = workers_->send(plan.layout.primary(0).where, from, draft);
    if (sent) on_way_[sent->message_id] = p;
  }
  bool is_acknowledged(const push_content& p) const { return acknowledged.contains(p); }

  /// Pulls bias and a row for a push; answered with `answered`.
  void pull(std::uint64_t clock, std::uint64_t key, bool for_push = true) {
    mesh::draft<schema::Pull> draft;
    draft->setJobId(1);
    draft->setLayout(plan.layout.number);
    draft->setClock(clock);
    draft->setForPush(for_push ? clock + 1 : 0);
    auto parts = draft->initParts(2);
    parts[0].setBlock(0);
    parts[1].setNumber(1);
    parts[1].initKeys().setCount(1);
    parts[1].getKeys().setSent(true);
    const auto body = mesh::allocate_body(8);
    body.as<std::uint64_t>(0, 1)[0] = key;
    draft.body = body.share();
    pulled.clear();
    (void)workers_->send(plan.layout.primary(0).where, {mesh::service_kind::worker, 0}, draft);
  }

  // --- time -------------------------------------------------------------------------------------

  /// Delivers everything, and lets hosts do what they do now and then, often enough for anything
  /// that was begun to end. (Until nothing happens would be for ever: a primary tells the
  /// coordinator of its backup until a layout answers.)
  void run() {
    for (int round = 0; round < 8; ++round) {
      while (step()) {
      }
      settle();
    }
    while (step()) {
    }
  }
  /// Delivers one frame of the first link that has one.
  bool step() {
    for (const auto& [l, frames] : links.waiting)
      if (!frames.empty()) return links.deliver(l);
    return false;
  }
  void settle() {
    for (auto& [node, h] : hosts) {
      if (!h.job) continue;
      h.job->resume();
      h.job->answer_primaries();
      h.job->tick(now);
    }
  }

  env::time_point now;
  test_links links;
  job::job_plan plan;
  std::map<std::uint8_t, host> hosts;
  std::vector<mesh::frame_ptr> told; // the coordinator
  std::set<push_content> open;       // pushes without an acknowledgement
  std::set<push_content> acknowledged;
  std::vector<error> refusals; // of pushes and pulls
  std::vector<float> pulled;   // bias, row
  std::optional<std::uint64_t> pulled_clock;

private:
  std::shared_ptr<mesh::router> make_router(std::uint8_t node) {
    auto router = std::make_shared<mesh::router>(mesh::node_identity{{node}, 1},
                                                 std::make_shared<test_network>(node, links));
    REQUIRE(router->start({}));
    return router;
  }

  /// What the actor does with a message.
  void receive(host& h, const mesh::frame_ptr& f) {
    const auto done = mesh::guarded([&] { return dispatch(h, f); });
    if (!done && f->header.kind != mesh::message_traits<schema::Refusal>::kind)
      (void)h.router->reply_to(f->header, mesh::make_refusal(done.failure()));
  }
  result<void> dispatch(host& h, const mesh::frame_ptr& f) {
    using schema::MessageKind;
    using server_shard::replica;
    switch (static_cast<MessageKind>(f->header.kind)) {
    case MessageKind::JOB_PLAN:
      return prepare(h, *mesh::message<schema::JobPlan>::decode(f));
    case MessageKind::LAYOUT:
      if (!h.job) return error{errc::refused, "no job"};
      return h.job->take(*mesh::message<schema::Layout>::decode(f));
    case MessageKind::REFUSAL:
      if (h.job) h.job->pause({f->header.from.uuid, f->header.from_service});
      return {};
    case MessageKind::PULL:
      return to_replica<schema::Pull>(h, f, &replica::pull);
    case MessageKind::PUSH:
      return to_replica<schema::Push>(h, f, &replica::push);
    case MessageKind::CHECKPOINT_STAGE:
      if (!h.job) return error{errc::refused, "no job"};
      return h.job->make_checkpoint(*mesh::message<schema::CheckpointStage>::decode(f), now);
    case MessageKind::CHECKPOINT_TAKEN:
      if (auto* one = replica_of(static_cast<std::uint8_t>(h.router->self().uuid[0])))
        one->job().on_chunks_taken(*mesh::message<schema::CheckpointTaken>::decode(f));
      return {};
    case MessageKind::RESTORE_CHUNK:
      return to_replica<schema::RestoreChunk>(h, f, &replica::take);
    case MessageKind::REPLICATE:
      return to_replica<schema::Replicate>(h, f, &replica::replicate);
    case MessageKind::REPLICATED:
      return replicated(h, *mesh::message<schema::Replicated>::decode(f));
    case MessageKind::SNAPSHOT_CHUNK:
      return to_replica<schema::SnapshotChunk>(h, f, &replica::take);
    case MessageKind::SNAPSHOT_TAKEN:
      return to_replica<schema::SnapshotTaken>(h, f, &replica::taken);
    default:
      return error{errc::refused,
                   "a host takes no message of kind " + std::to_string(f->header.kind)};
    }
  }
  result<void> prepare(host& h, const mesh::message<schema::JobPlan>& m) {
    auto decoded = job::decode(*m);
    REQUIRE(decoded);
    if (h.job) return h.job->change(std::move(*decoded), m.sender());
    auto made = server_shard::job_replicas::make(*decoded, h.shared, m.sender());
    if (!made) return made.failure();
    h.job = std::move(*made);
    return {};
  }
  result<void> replicated(host& h, const mesh::message<schema::Replicated>& m) {
    if (!h.job) return error{errc::refused, "no job"};
    const auto found = h.job->find((*m).getShard(), (*m).getLayout());
    return found ? h.job->replicated(**found, m) : found.failure();
  }
  template <class T>
  result<void> to_replica(host& h, const mesh::frame_ptr& f,
                          result<void> (server_shard::replica::*handler)(const mesh::message<T>&)) {
    const auto m = mesh::message<T>::decode(f);
    REQUIRE(m);
    if (!h.job) return error{errc::refused, "no job"};
    const auto found = h.job->find((**m).getShard(), (**m).getLayout());
    return found ? ((*found)->*handler)(*m) : found.failure();
  }

  void on_answer(const mesh::frame_ptr& f) {
    const auto found = on_way_.find(f->header.in_reply_to);
    if (f->header.kind == mesh::message_traits<schema::Pushed>::kind) {
      REQUIRE(found != on_way_.end());
      acknowledged.insert(found->second);
      open.erase(found->second);
    } else if (f->header.kind == mesh::message_traits<schema::Pulled>::kind) {
      const auto answer = mesh::message<schema::Pulled>::decode(f);
      const auto values = answer->template array<float>(0, answer->body().size() / sizeof(float));
      pulled.assign(values->begin(), values->end());
      pulled_clock = (**answer).getClock();
    } else {
      refusals.push_back(mesh::to_error(**mesh::message<schema::Refusal>::decode(f)));
    }
  }

  rule_set rules_;
  std::size_t waiting_bytes_max_;
  parameters::rule_registry registry_;
  std::shared_ptr<mesh::router> coordinator_;
  std::shared_ptr<mesh::router> workers_;
  std::map<std::uint64_t, push_content> on_way_; // by message id
};

} // namespace gradmesh::testing
