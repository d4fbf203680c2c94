#include "actors/data_server/data_server.hpp"

#include "actors/data_server/batch_message.hpp"
#include "actors/mesh/receive.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace gradmesh::data_server {
namespace {

/// More than any pipeline asks for ahead.
constexpr std::size_t held_leases_per_worker = 64;

} // namespace

result<void> data_server_state::load(const message<schema::LoadData>& request) {
  auto config = job::parse_config(mesh::text((*request).getConfig()));
  if (!config) return config.failure();
  if (!loaded || loaded_from != config->data || loaded_seed != config->job.seed) {
    // Whoever still leases by a plan for the old data is told that there is none.
    plan.reset();
    book.reset();
    phase = 0;
    evaluating = false;
    report("loading");
    loaded.reset();
    auto read =
        learning::load_data(job::data_source_of(*config), *context->disk, context->run_command);
    report("idle");
    if (!read) return read.failure();
    loaded = std::move(*read);
    loaded_from = config->data;
    loaded_seed = config->job.seed;
  }
  const auto& data = loaded->data;
  if (data.train.size() == 0)
    return error{errc::malformed_data, "the training set is empty: " + loaded->source};
  mesh::draft<schema::DataLoaded> answer;
  answer->setJobId((*request).getJobId());
  answer->setSparse(data.train.shape.kind == learning::layout::sparse);
  answer->setFeatures(data.train.shape.features);
  answer->setClasses(data.train.shape.classes);
  answer->setTrainExamples(data.train.size());
  answer->setTestExamples(data.test.size());
  auto names = answer->initClassNames(static_cast<unsigned>(data.class_names.size()));
  for (unsigned i = 0; i < names.size(); ++i)
    names.set(i, data.class_names[i]);
  answer->setSource(loaded->source);
  (void)context->router->reply(request, answer);
  return {};
}

result<void> data_server_state::prepare(const message<schema::JobPlan>& request) {
  auto decoded = job::decode(*request);
  if (!decoded) return decoded.failure();
  if (!loaded || decoded->shape != loaded->data.train.shape)
    return error{errc::refused, "the plan of job " + std::to_string(decoded->job_id) +
                                    " is for other data than this data server has loaded"};
  if (job::index_of(decoded->data_servers, context->router->local(service)) ==
      decoded->data_servers.size())
    return error{errc::refused, "the plan of job " + std::to_string(decoded->job_id) +
                                    " does not name " + to_string(service) + " of " +
                                    context->node_name};
  const bool known = plan && plan->job_id == decoded->job_id && planner == request.sender().node;
  if (known && decoded->revision < plan->revision) return {}; // late
  if (!known || decoded->revision > plan->revision) {
    plan = std::move(*decoded);
    planner = request.sender().node;
    phase = 0;
    book.reset();
    hold_from.reset();
    held.clear();
  }
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(plan->job_id);
  (void)context->router->reply(request, ready);
  return {};
}

result<void> data_server_state::start(const message<schema::StartPhase>& request) {
  const auto start = *request;
  if (!plan || plan->job_id != start.getJobId())
    return error{errc::refused,
                 "this data server has no plan of job " + std::to_string(start.getJobId())};
  if (start.getRevision() != plan->revision) return {}; // of another generation
  if (start.getPhase() != phase) {
    evaluating = start.getKind() == schema::PhaseKind::EVALUATE;
    if (set().size() == 0) return error{errc::refused, "the test set is empty"};
    phase = start.getPhase();
    hold_from.reset();
    held.clear();
    book.emplace(*plan, job::index_of(plan->data_servers, context->router->local(service)),
                 evaluating ? pass::evaluate : pass::train, set().size(), context->rules);
    report(evaluating ? "evaluating" : "training");
  }
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(plan->job_id);
  (void)context->router->reply(request, ready);
  return {};
}

result<void> data_server_state::limit(const message<schema::LimitPhase>& request) {
  const auto limit = *request;
  if (!plan || !book || evaluating || limit.getJobId() != plan->job_id || limit.getPhase() != phase)
    return error{errc::refused, "this data server is not in training phase " +
                                    std::to_string(limit.getPhase()) + " of job " +
                                    std::to_string(limit.getJobId())};
  const auto epoch = plan->steps_per_epoch;
  const auto earliest = std::min((book->steps_begun() + epoch - 1) / epoch * epoch, plan->steps);
  mesh::draft<schema::PhaseLimit> answer;
  answer->setJobId(plan->job_id);
  if (limit.getSteps() == 0) {
    hold_from = earliest;
    answer->setSteps(earliest);
  } else {
    if (limit.getSteps() < book->steps_begun() || limit.getSteps() > plan->steps)
      return error{errc::refused, "training cannot end after " + std::to_string(limit.getSteps()) +
                                      " of " + std::to_string(plan->steps) + " steps: " +
                                      std::to_string(book->steps_begun()) + " have begun"};
    book->end_after(limit.getSteps());
    answer->setSteps(limit.getSteps());
    hold_from.reset();
    for (const auto& waiting : std::exchange(held, {}))
      if (auto leased = lease(waiting); !leased)
        (void)context->router->reply(waiting, mesh::make_refusal(leased.failure()));
  }
  (void)context->router->reply(request, answer);
  return {};
}

result<void> data_server_state::lease(const message<schema::LeaseBatch>& request) {
  const auto lease = *request;
  if (!plan || !book || lease.getJobId() != plan->job_id || lease.getPhase() != phase)
    return error{errc::stale_phase, "this data server is not in phase " +
                                        std::to_string(lease.getPhase()) + " of job " +
                                        std::to_string(lease.getJobId())};
  if (lease.getRank() >= plan->workers.size() ||
      plan->workers[lease.getRank()].where != request.sender())
    return error{errc::stale_phase, "node " + mesh::short_name(request.sender().node) +
                                        " is not worker " + std::to_string(lease.getRank())};
  if (hold_from && book->next_step(lease.getRank()) >= *hold_from) {
    if (held.size() >= held_leases_per_worker * plan->workers.size())
      return error{errc::retry_later, "too many leases wait for the end of the phase"};
    held.push_back(request);
    return {};
  }
  auto choice = book->lease(lease.getRank(), lease.getSequence());
  if (!choice) return choice.failure();
  auto batch = *choice ? batch_message(**choice, set()) : mesh::draft<schema::Batch>();
  batch->setExhausted(!*choice);
  batch->setJobId(plan->job_id);
  batch->setPhase(phase);
  (void)context->router->reply(request, batch);
  report(evaluating ? "evaluating" : "training");
  return {};
}

void data_server_state::end(std::uint64_t job_id) {
  if (!plan || plan->job_id != job_id) return;
  plan.reset();
  book.reset();
  hold_from.reset();
  held.clear();
  report("idle");
}

void data_server_state::report(const std::string& state) const {
  node::service_status status{state, {}};
  if (loaded)
    status.gauges = {{"train_examples", static_cast<double>(loaded->data.train.size())},
                     {"test_examples", static_cast<double>(loaded->data.test.size())},
                     {"batches_leased", book ? static_cast<double>(book->leased()) : 0}};
  context->board->set(service, std::move(status));
}

data_server_actor::behavior_type
data_server(data_server_actor::stateful_pointer<data_server_state> self, node::context_ptr context,
            mesh::service_id service) {
  auto& state = self->state;
  state.context = std::move(context);
  state.service = service;
  state.report("idle");
  const auto& router = state.context->router;
  return {
      mesh::receive<schema::LoadData>(router,
                                      [self](const auto& m) { return self->state.load(m); }),
      mesh::receive<schema::JobPlan>(router,
                                     [self](const auto& m) { return self->state.prepare(m); }),
      mesh::receive<schema::StartPhase>(router,
                                        [self](const auto& m) { return self->state.start(m); }),
      mesh::receive<schema::LimitPhase>(router,
                                        [self](const auto& m) { return self->state.limit(m); }),
      mesh::receive<schema::LeaseBatch>(router,
                                        [self](const auto& m) { return self->state.lease(m); }),
      mesh::receive<schema::EndJob>(router,
                                    [self](const auto& m) -> result<void> {
                                      self->state.end((*m).getJobId());
                                      return {};
                                    }),
      mesh::receive<schema::Refusal>(router,
                                     [self](const auto& m) -> result<void> {
                                       self->state.context->log(env::severity::warning,
                                                                "refused: " +
                                                                    to_string(mesh::to_error(*m)));
                                       return {};
                                     }),
  };
}

} // namespace gradmesh::data_server
