#include "actors/coordinator/checkpoint_actors.hpp"

#include "actors/node/spawn.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <ranges>

namespace gradmesh::coordinator {

checkpoint_makers make_checkpoint_actors(coordinator_actor::pointer coordinator,
                                         const node::context& context) {
  auto& system = coordinator->system();
  const auto place = context.place;
  const auto disk = context.disk;
  const auto log = context.log;
  const auto rules = context.rules;
  const auto tell = [to = caf::actor_cast<caf::actor_addr>(coordinator)](
                        std::uint64_t job_id, std::uint64_t source,
                        checkpoint::checkpoint_news news) {
    if (const auto alive = caf::actor_cast<coordinator_actor>(to))
      caf::anon_send(alive, checkpoint_told{job_id, source,
                                            std::make_shared<const checkpoint::checkpoint_news>(
                                                std::move(news))});
  };
  checkpoint_makers makers;
  makers.writer = [=, &system](std::uint64_t job_id, checkpoint::checkpoint_settings settings) {
    return node::spawn(
        system, place, checkpoint::checkpoint_writing, disk, log, settings,
        checkpoint::checkpoint_listener(
            [=](const checkpoint::checkpoint_event& event) { tell(job_id, 0, {event}); }));
  };
  makers.reader = [=, &system](std::uint64_t job_id, std::uint64_t source) {
    return node::spawn(system, place, checkpoint::checkpoint_reading, disk, rules,
                       checkpoint::reading_listener([=](const checkpoint::reading_event& event) {
                         tell(job_id, source, {event});
                       }));
  };
  return makers;
}

result<config::job_config> config_of(const std::string& text, const restore_source& from,
                                     const std::shared_ptr<env::disk>& disk) {
  if (!text.empty() || from.folder.empty()) return job::parse_config(text);
  const store::checkpoint_store store(disk, from.folder);
  const auto numbers = store.numbers();
  if (!numbers) return numbers.failure();
  error why{errc::not_found, "there is no checkpoint in '" + from.folder + "'"};
  // Whether the rest of it is whole is looked at before the job begins.
  for (const auto number : *numbers | std::views::reverse) {
    if (from.number != 0 && number != from.number) continue;
    const auto manifest = store.manifest(number);
    const auto progress = manifest ? decode_progress(manifest->summary.progress)
                                   : result<checkpoint_progress>(manifest.failure());
    if (progress) return job::parse_config(progress->config);
    why = progress.failure();
  }
  return why;
}

result<void> check_checkpoint_folder(const config::job_config& config, const restore_source& from,
                                     const std::shared_ptr<env::disk>& disk) {
  if (!from.folder.empty() && !config.job.record.empty())
    return error{errc::invalid_config, "job.record = " + config.job.record +
                                           ": the log of a job that goes on from a checkpoint "
                                           "would begin in its middle; leave it empty"};
  const auto& folder = config.checkpoint.folder;
  if (folder.empty() || folder == from.folder) return {};
  const auto numbers = store::checkpoint_store(disk, folder).numbers();
  if (!numbers) return numbers.failure();
  if (numbers->empty()) return {};
  return error{errc::refused, "checkpoint.folder = " + folder +
                                  " has checkpoints already, which this job would delete one by "
                                  "one; go on from them (--resume " +
                                  folder + "), or name another folder"};
}

} // namespace gradmesh::coordinator
