#include "actors/server_shard/shard_job.hpp"

#include "actors/job/partition_body.hpp"
#include "actors/server_shard/strategies.hpp"

#include <string>

namespace gradmesh::server_shard {

shard_job::shard_job(job::job_plan plan, parameters::parameter_store store,
                     std::shared_ptr<mesh::router> router)
    : plan_(std::move(plan)), store_(std::move(store)), router_(std::move(router)) {}

result<std::unique_ptr<shard_job>> shard_job::make(job::job_plan plan, std::size_t index,
                                                   std::shared_ptr<mesh::router> router) {
  auto map = job::make_partition_map(plan);
  if (!map) return map.failure();
  auto store = parameters::parameter_store::make(
      plan.tables, std::move(*map), static_cast<std::uint32_t>(index),
      job::optimizer_options_of(plan.config), plan.config.job.seed);
  if (!store) return store.failure();
  if (plan.synchronous())
    return std::unique_ptr<shard_job>(
        std::make_unique<bsp_shard>(std::move(plan), std::move(*store), std::move(router)));
  return std::unique_ptr<shard_job>(
      std::make_unique<async_shard>(std::move(plan), std::move(*store), std::move(router)));
}

result<void> shard_job::check_worker(std::uint64_t job_id, std::uint32_t rank,
                                     const mesh::address& sender) const {
  if (job_id != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id) +
                                    ", not on job " + std::to_string(job_id)};
  if (rank >= plan_.workers.size() || plan_.workers[rank].where != sender)
    return error{errc::refused, "node " + mesh::short_name(sender.node) + " is not worker " +
                                    std::to_string(rank) + " of job " + std::to_string(job_id)};
  return {};
}

result<void> shard_job::pull(const message<schema::Pull>& request) {
  const auto pull = *request;
  if (auto known = check_worker(pull.getJobId(), pull.getRank(), request.sender()); !known)
    return known;
  if (request.body().size() % sizeof(std::uint64_t) != 0 ||
      request.body().size() / sizeof(std::uint64_t) != pull.getKeyCount())
    return error{errc::malformed_message, "a pull of " + std::to_string(pull.getKeyCount()) +
                                              " keys has a body of " +
                                              std::to_string(request.body().size()) + " bytes"};
  return strategy_pull(request);
}

result<void> shard_job::answer(const message<schema::Pull>& request) {
  const auto pull = *request;
  const auto keys = *request.array<std::uint64_t>(0, pull.getKeyCount());
  const auto floats = store_.body_floats(pull.getDense(), keys.size());
  if (floats > mesh::body_bytes_max / sizeof(float))
    return error{errc::limit_exceeded, "the answer to a pull of " + std::to_string(keys.size()) +
                                           " keys would take " + std::to_string(floats) +
                                           " floats; one frame takes " +
                                           std::to_string(mesh::body_bytes_max) + " bytes"};
  const auto body = mesh::allocate_body(floats * sizeof(float));
  if (auto read = store_.read(pull.getDense(), keys, body.as<float>(0, floats)); !read) return read;
  mesh::draft<schema::Pulled> pulled;
  pulled->setJobId(plan_.job_id);
  pulled->setClock(counters_.updates);
  pulled.body = body.share();
  ++counters_.pulls;
  // A worker that is gone is the coordinator's business, not this shard's.
  (void)router_->reply(request, pulled);
  return {};
}

result<parameters::gradient> shard_job::gradient_of(const message<schema::Push>& request) const {
  const auto push = *request;
  const auto available = request.body().size();
  const std::uint64_t key_count = push.getKeyCount();
  const auto keys = request.array<std::uint64_t>(0, key_count);
  const std::size_t dense_floats = push.getDense() ? store_.dense_size() : 0;
  if (!keys || available - keys->size_bytes() !=
                   sizeof(float) * store_.body_floats(push.getDense(), keys->size()))
    return error{errc::malformed_message, "a push of " + std::to_string(key_count) + " keys and " +
                                              std::to_string(dense_floats) +
                                              " dense values has a body of " +
                                              std::to_string(available) + " bytes"};
  const auto dense = *request.array<float>(keys->size_bytes(), dense_floats);
  const auto rows = *request.array<float>(keys->size_bytes() + dense.size_bytes(),
                                          keys->size() * store_.layout().floats_per_key());
  return parameters::gradient{push.getDense(), dense, *keys, rows};
}

result<void> shard_job::push(const message<schema::Push>& request) {
  const auto push = *request;
  auto known = check_worker(push.getJobId(), push.getRank(), request.sender());
  auto change = known ? gradient_of(request) : result<parameters::gradient>(known.failure());
  auto taken = change ? strategy_push(request, *change) : result<void>(change.failure());
  if (!taken) ++counters_.refused;
  return taken;
}

void shard_job::refuse(const message<schema::Pull>& request, const error& why) {
  (void)router_->reply(request, mesh::make_refusal(why));
}

void shard_job::acknowledge(const message<schema::Push>& request, std::uint64_t staleness) {
  mesh::draft<schema::Pushed> pushed;
  pushed->setJobId(plan_.job_id);
  pushed->setSequence((*request).getSequence());
  pushed->setStaleness(staleness);
  (void)router_->reply(request, pushed);
}

result<void> shard_job::export_partition(const message<schema::ExportPartition>& request) {
  if ((*request).getJobId() != plan_.job_id)
    return error{errc::refused, "this shard works on job " + std::to_string(plan_.job_id)};
  auto content = store_.export_partition((*request).getPartition());
  if (!content) return content.failure();
  auto answer = job::encode_partition(plan_.job_id, *content);
  if (!answer) return answer.failure();
  (void)router_->reply(request, *answer);
  return {};
}

} // namespace gradmesh::server_shard
