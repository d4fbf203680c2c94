#pragma once

/// A change of the running job's options, which takes effect at the end of an epoch. First every
/// data server says at the end of which epoch it can still stop, and holds back what lies beyond;
/// then all are told the latest of these. Plain code, as job_run, which owns it.

#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"

#include <cstdint>
#include <set>

namespace gradmesh::coordinator {

using mesh::message;

class job_change {
public:
  /// Errors: `invalid_config` (options that cannot be changed or make no sense).
  static result<job_change> make(const message<schema::ChangeJob>& request,
                                 const job::job_plan& plan, std::uint32_t phase,
                                 mesh::service_id self);
  /// One that was agreed on in an earlier life of the coordinator.
  static job_change agreed(config::job_config options, std::uint64_t step, mesh::service_id self);

  /// Asks the data servers of the training phase, or tells them again where it ends, if that is
  /// known. Who has no link then has to be asked again when it has one.
  void ask(const job::job_plan& plan, mesh::router& router);
  /// An answer of a data server. True with the last of them.
  bool on_limit(const message<schema::PhaseLimit>& limit);
  /// Tells all data servers where training ends, and who asked for the change from where on it
  /// counts. Errors: `refused` if nothing would be left to train after it.
  result<void> conclude(const job::job_plan& plan, mesh::router& router);

  /// Tells the data servers of another phase, which know nothing of it, where training ends. Only
  /// when that is known.
  void repeat(const job::job_plan& plan, std::uint32_t phase, mesh::router& router);

  bool asked(std::uint64_t message_id) const { return asked_.contains(message_id); }
  /// Tells who asked for the change that it does not come about.
  void refuse(const error& why, mesh::router& router) const;

  /// The step from which the options count; nothing while data servers have not answered.
  std::optional<std::uint64_t> step() const;
  const config::job_config& options() const { return options_; }

private:
  job_change(std::optional<message<schema::ChangeJob>> request, config::job_config options,
             std::uint32_t phase, mesh::service_id self)
      : request_(std::move(request)), options_(std::move(options)), phase_(phase), self_(self) {}

  void tell(const std::vector<job::place>& data_servers, std::uint64_t job_id, std::uint64_t steps,
            mesh::router& router);

  std::optional<message<schema::ChangeJob>> request_; // until it is answered
  config::job_config options_;
  std::uint32_t phase_;
  mesh::service_id self_;
  std::set<mesh::address> waiting_for_;
  std::set<std::uint64_t> asked_; // message ids
  std::uint64_t latest_ = 0;      // of the steps that were answered
};

} // namespace gradmesh::coordinator
