#include "actors/server_shard/recording.hpp"

#include "actors/node/spawn.hpp"
#include "actors/record/log_writer.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::server_shard {

record::plan_record plan_record_of(const mesh::message<schema::JobPlan>& plan, std::size_t index,
                                   const rule_set& rules) {
  record::plan_record out{.shard = static_cast<std::uint32_t>(index),
                          .epoch = plan.header().view_epoch,
                          .rules_off = {},
                          .plan = {}};
  for (const auto& rule : all_rules())
    if (!rules.keeps(rule.id)) out.rules_off.emplace_back(rule.name);
  const auto words = std::as_bytes(std::span(plan.frame()->metadata));
  out.plan.assign(reinterpret_cast<const char*>(words.data()), words.size());
  return out;
}

result<recording> start_recording(caf::actor_system& system, const node::context& context,
                                  const std::string& path, std::size_t index,
                                  const mesh::message<schema::JobPlan>& plan) {
  auto file = context.disk->create(path + "." + std::to_string(index));
  if (!file)
    return error{file.failure().code, "job.record = " + path + ": " + file.failure().text +
                                          " on the machine of '" + context.node_name + "'"};
  auto progress = std::make_shared<record::write_progress>();
  const auto writer =
      node::spawn(system, context.place, record::log_writer,
                  std::shared_ptr<env::growing_file>(std::move(*file)), progress, context.log);
  auto to_writer = [writer](std::string block, bool last) {
    caf::anon_send(writer, log_block{std::move(block), last});
  };
  return recording{std::make_unique<record::recorder>(plan_record_of(plan, index, context.rules),
                                                      std::move(to_writer), progress),
                   progress};
}

} // namespace gradmesh::server_shard
