#include "actors/server_shard/server_shard.hpp"

#include "actors/defaults.hpp"
#include "actors/mesh/receive.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::server_shard {

result<void> server_shard_state::prepare(const message<schema::JobPlan>& plan) {
  auto decoded = job::decode(*plan);
  if (!decoded) return decoded.failure();
  const auto index = job::index_of(decoded->layout.primaries(), context->router->local(service));
  if (index == decoded->layout.size())
    return error{errc::refused, "the plan of job " + std::to_string(decoded->job_id) +
                                    " does not name " + to_string(service) + " of " +
                                    context->node_name};
  if (!job || job->id() != decoded->job_id || planner != plan.header().from) {
    const auto record_path = decoded->config.job.record;
    auto made = shard_job::make(std::move(*decoded), index, context->router, context->rules,
                                *context->update_rules);
    if (!made) return made.failure();
    job = std::move(*made);
    recorded.reset();
    if (!record_path.empty())
      if (auto recording = record(plan, record_path, index); !recording) {
        job.reset();
        return recording;
      }
    planner = plan.header().from;
    report();
  } else if (decoded->revision > job->revision()) {
    if (auto changed = job->change(std::move(*decoded)); !changed) return changed;
    job->tell(plan_record_of(plan, index, context->rules));
  }
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(job->id());
  (void)context->router->reply(plan, ready);
  return {};
}

result<void> server_shard_state::record(const message<schema::JobPlan>& plan,
                                        const std::string& path, std::size_t index) {
  auto started = start_recording(self->system(), *context, path, index, plan);
  if (!started) return started.failure();
  job->tell(std::move(started->sink));
  recorded = std::move(started->progress);
  return {};
}

void server_shard_state::end(std::uint64_t job_id) {
  if (job && job->id() == job_id) {
    job->end();
    job.reset();
  }
  report();
}

result<shard_job*> server_shard_state::current(env::time_point now) {
  if (!job) return error{errc::refused, to_string(service) + " has no job"};
  job->set_time(now);
  return job.get();
}

void server_shard_state::report() const {
  node::service_status status;
  status.state = job ? "serving" : "idle";
  if (job) {
    const auto& counters = job->counters();
    status.gauges = {{"clock", static_cast<double>(job->clock())},
                     {"pulls_total", static_cast<double>(counters.pulls)},
                     {"pushes_total", static_cast<double>(counters.pushes)},
                     {"parts_repeated_total", static_cast<double>(counters.repeated_parts)},
                     {"parts_late_total", static_cast<double>(counters.late_parts)},
                     {"pushes_dropped_total", static_cast<double>(counters.dropped_pushes)},
                     {"requests_refused_total", static_cast<double>(counters.refused)},
                     {"pulls_waiting", static_cast<double>(job->waiting_pulls())},
                     {"sparse_keys", static_cast<double>(job->sparse_keys())}};
    if (recorded) {
      const auto add = [&](const char* name, std::uint64_t value) {
        status.gauges.emplace_back(name, static_cast<double>(value));
      };
      add("record_bytes_total", recorded->written_bytes);
      add("record_events_lost_total", recorded->lost_events);
    }
  }
  context->board->set(service, std::move(status));
}

server_shard_actor::behavior_type server_shard(server_shard_state::pointer self,
                                               node::context_ptr context,
                                               mesh::service_id service) {
  auto& state = self->state;
  state.self = self;
  state.context = std::move(context);
  state.service = service;
  self->send(self, tick{});
  const auto& router = state.context->router;
  return {
      mesh::receive<schema::JobPlan>(
          router, [self](const auto& plan) { return self->state.prepare(plan); }),
      mesh::receive<schema::EndJob>(router,
                                    [self](const auto& end) -> result<void> {
                                      self->state.end((*end).getJobId());
                                      return {};
                                    }),
      mesh::receive<schema::Pull>(router,
                                  [self](const auto& pull) -> result<void> {
                                    auto job = self->state.current(env::now(*self));
                                    return job ? (*job)->pull(pull) : job.failure();
                                  }),
      mesh::receive<schema::Push>(router,
                                  [self](const auto& push) -> result<void> {
                                    auto job = self->state.current(env::now(*self));
                                    return job ? (*job)->push(push) : job.failure();
                                  }),
      mesh::receive<schema::ExportPartition>(router,
                                             [self](const auto& request) -> result<void> {
                                               auto job = self->state.current(env::now(*self));
                                               return job ? (*job)->export_partition(request)
                                                          : job.failure();
                                             }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& refusal) -> result<void> {
                                       self->state.context->log(
                                           env::severity::warning,
                                           "refused: " + to_string(mesh::to_error(*refusal)));
                                       return {};
                                     }),
      [self](tick) {
        self->state.report();
        self->delayed_send(self, defaults::server_shard::report_interval, tick{});
      },
  };
}

} // namespace gradmesh::server_shard
