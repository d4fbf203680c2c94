#include "actors/server_shard/recording.hpp"

#include "actors/node/spawn.hpp"
#include "actors/record/log_writer.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::server_shard {

result<recording> start_recording(caf::actor_system& system, const node::context& context,
                                  const std::string& path, std::size_t index,
                                  const mesh::message<schema::JobPlan>& plan) {
  auto file = context.disk->create(path + "." + std::to_string(index));
  if (!file)
    return error{file.failure().code, "job.record = " + path + ": " + file.failure().text +
                                          " on the machine of '" + context.node_name + "'"};
  record::plan_record begin{.shard = static_cast<std::uint32_t>(index),
                            .epoch = plan.header().view_epoch,
                            .rules_off = {},
                            .plan = {}};
  for (const auto& rule : all_rules())
    if (!context.rules.keeps(rule.id)) begin.rules_off.emplace_back(rule.name);
  const auto words = std::as_bytes(std::span(plan.frame()->metadata));
  begin.plan.assign(reinterpret_cast<const char*>(words.data()), words.size());

  auto progress = std::make_shared<record::write_progress>();
  const auto writer =
      node::spawn(system, context.place, record::log_writer,
                  std::shared_ptr<env::growing_file>(std::move(*file)), progress, context.log);
  auto to_writer = [writer](std::string block, bool last) {
    caf::anon_send(writer, log_block{std::move(block), last});
  };
  return recording{std::make_unique<record::recorder>(begin, std::move(to_writer), progress),
                   progress};
}

} // namespace gradmesh::server_shard
