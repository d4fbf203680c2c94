#include "tools/bench/push_pull_worker.hpp"

#include "actors/node/node.hpp"
#include "config/node_config.hpp"
#include "tools/actor_system.hpp"
#include "tools/bench/parameter_load.hpp"
#include "tools/bench/peer_process.hpp"
#include "tools/mesh_client.hpp"
#include "tools/options.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <thread>

namespace gradmesh::tools::bench {
namespace {

constexpr mesh::service_id load_service{mesh::service_kind::worker, 1};
constexpr std::chrono::seconds join_limit{20};
constexpr std::chrono::seconds prepare_limit{60};

struct members {
  std::vector<job::place> shards;
  std::vector<job::place> loads;      // by node name
  std::vector<job::place> local_data; // of the same nodes
};

result<members> find_members(const env::environment& environment, const mesh_access& access,
                             std::size_t servers, std::size_t workers) {
  auto client = mesh_client::connect(environment, access);
  if (!client) return client.failure();
  const auto deadline = std::chrono::steady_clock::now() + join_limit;
  for (;;) {
    auto status = (*client)->status();
    if (!status) return status.failure();
    members found;
    for (const auto entry : (**status).getMembers()) {
      const auto member = entry.getMember();
      const auto uuid = mesh::to_uuid(member.getUuid());
      if (!uuid) continue;
      for (const auto number : member.getServices()) {
        const auto service = mesh::service_id::from_wire(number);
        const job::place place{{*uuid, service}, mesh::text(member.getName())};
        if (service.kind == mesh::service_kind::server_shard) found.shards.push_back(place);
        if (service.kind == mesh::service_kind::local_data) {
          found.local_data.push_back(place);
          found.loads.push_back({{*uuid, load_service}, place.name});
        }
      }
    }
    for (auto* places : {&found.shards, &found.loads, &found.local_data})
      std::sort(places->begin(), places->end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
    if (found.shards.size() == servers && found.loads.size() == workers) return found;
    if (std::chrono::steady_clock::now() > deadline)
      return error{errc::timed_out, std::to_string(found.shards.size()) + " of " +
                                        std::to_string(servers) + " shards and " +
                                        std::to_string(found.loads.size()) + " of " +
                                        std::to_string(workers) + " workers have joined"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

/// By the links of all members: a sum of heartbeats that were sent from now on.
result<double> bytes_sent(const env::environment& environment, const mesh_access& access) {
  auto client = mesh_client::connect(environment, access);
  if (!client) return client.failure();
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    auto status = (*client)->status();
    if (!status) return status.failure();
    const auto waited = std::chrono::steady_clock::now() - began;
    double sum = 0;
    bool is_fresh = true;
    for (const auto member : (**status).getMembers()) {
      is_fresh = is_fresh && std::chrono::milliseconds(member.getHeartbeatAgeMs()) < waited;
      for (const auto gauge : member.getLastHeartbeat().getGauges())
        if (mesh::text(gauge.getName()) == "bytes_sent_total") sum += gauge.getValue();
    }
    if (is_fresh) return sum;
    if (waited > join_limit)
      return error{errc::timed_out, "a member has sent no heartbeat for " +
                                        std::to_string(join_limit.count()) + " s"};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// Each shard with a backup on the next server.
job::shard_layout with_backups(job::shard_layout layout) {
  const auto primaries = layout.primaries();
  for (std::size_t shard = 0; shard < layout.size(); ++shard) {
    layout.shards[shard].backup = primaries[(shard + 1) % layout.size()];
    layout.shards[shard].synced = true;
    layout.shards[shard].pairing = layout.number;
  }
  return layout;
}

result<job::job_plan> make_plan(const members& who, std::uint64_t number, std::uint64_t floats,
                                bool replicated) {
  job::job_plan plan;
  plan.job_id = number;
  auto config = job::parse_config("[job]\nstrategy = async\n[data]\nformat = debian-packages\n"
                                  "served_by = partitioned\n[optimizer]\ntype = sgd\n");
  if (!config) return config.failure();
  plan.config = *std::move(config);
  plan.shape = {learning::layout::dense, 1, 2};
  if (floats > 0) plan.tables.push_back({"values", learning::table_kind::dense, floats});
  plan.tables.push_back({"rows", learning::table_kind::sparse, 1});
  plan.layout = job::unreplicated(who.shards);
  if (replicated) plan.layout = with_backups(std::move(plan.layout));
  plan.workers = who.loads;
  plan.data_servers = who.local_data;
  plan.partitions = static_cast<std::uint32_t>(who.shards.size());
  plan.pieces = static_cast<std::uint32_t>(who.loads.size());
  plan.steps_per_epoch = plan.steps = load_steps * plan.pieces;
  return plan;
}

void answer_failure(const error& why) {
  say({{"error", to_string(why)}});
}

/// Carries out the commands of push_pull_worker.hpp until standard input ends.
void obey(const load_actor& load, const members& who, std::uint32_t rank,
          const std::function<result<double>()>& bytes_sent) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "prepare") {
      std::uint64_t number = 0;
      std::uint64_t floats = 0;
      int replicated = 0;
      words >> number >> floats >> replicated;
      auto plan = make_plan(who, number, floats, replicated != 0);
      if (!plan) {
        answer_failure(plan.failure());
        continue;
      }
      auto done = std::make_shared<std::promise<result<void>>>();
      auto outcome = done->get_future();
      caf::anon_send(load, prepare_load{std::move(*plan), rank, done});
      if (outcome.wait_for(prepare_limit) != std::future_status::ready) {
        answer_failure({errc::timed_out, "the shards did not take the plan in time"});
      } else if (auto prepared = outcome.get(); !prepared) {
        answer_failure(prepared.failure());
      } else {
        say({{"ready", true}});
      }
    } else if (verb == "run") {
      std::string what;
      load_order order;
      int fresh = 0;
      long milliseconds = 0;
      words >> what >> order.window >> order.keys >> fresh >> milliseconds;
      order.what = what == "push" ? load_kind::push : load_kind::pull;
      order.fresh_keys = fresh != 0;
      order.duration = std::chrono::milliseconds(milliseconds);
      auto done = std::make_shared<std::promise<result<load_result>>>();
      auto outcome = done->get_future();
      caf::anon_send(load, run_load{order, done});
      if (outcome.wait_for(prepare_limit + order.duration) != std::future_status::ready) {
        answer_failure({errc::timed_out, "requests were without an answer for a minute"});
      } else if (const auto measured = outcome.get(); !measured) {
        answer_failure(measured.failure());
      } else {
        say({{"requests", measured->requests},
             {"seconds", measured->seconds},
             {"p50_us", measured->p50_us},
             {"p99_us", measured->p99_us},
             {"control_p50_us", measured->control_p50_us},
             {"control_p99_us", measured->control_p99_us}});
      }
    } else if (verb == "sent") {
      if (const auto sent = bytes_sent())
        say({{"bytes_sent", *sent}});
      else
        answer_failure(sent.failure());
    }
  }
}

} // namespace

exit_code push_pull_worker(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh bench push-pull-worker NODE.ini",
                       .description = "Internal: one worker of `gradmesh bench push-pull`.",
                       .positional = {"NODE.ini"},
                       .required = 1};
  options.named.add_options()("rank", po::value<std::uint32_t>()->required(),
                              "")("servers", po::value<std::size_t>()->required(),
                                  "")("workers", po::value<std::size_t>()->required(), "");
  return with_options(options, arguments, [](const po::variables_map& values) {
    const auto loaded = config::load_node(values["NODE.ini"].as<std::string>(), {});
    if (!loaded) {
      std::cerr << to_string(loaded.diagnostics);
      return exit_invalid_config;
    }
    const auto environment = env::real_environment(
        env::log_to_stderr(env::severity::warning, loaded.value->node.name), {});
    actor_system system;
    auto node = node::node::start(*system, *loaded.value, environment, [](const error&) {});
    if (!node) return report_failure("bench", node.failure());
    const auto load = spawn_load((*node)->context(), load_service);
    say({{"endpoint", to_string((*node)->endpoint())}});
    const auto coordinator =
        loaded.value->node.coordinator ? *loaded.value->node.coordinator : (*node)->endpoint();
    std::string go;
    std::getline(std::cin, go); // when all processes have been started
    mesh_access access{.coordinator = coordinator, .tls = {}, .limit = join_limit};
    if (const auto& tls = loaded.value->tls; tls.enabled())
      access.tls = env::tls_settings{tls.ca, tls.certificate, tls.key, access.cluster};
    auto who = find_members(environment, access, values["servers"].as<std::size_t>(),
                            values["workers"].as<std::size_t>());
    if (who) {
      say({{"joined", true}});
      obey(load, *who, values["rank"].as<std::uint32_t>(),
           [&] { return bytes_sent(environment, access); });
    } else {
      answer_failure(who.failure());
    }
    caf::anon_send_exit(load, caf::exit_reason::user_shutdown);
    (*node)->stop();
    return exit_ok;
  });
}

} // namespace gradmesh::tools::bench
