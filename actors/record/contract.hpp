#pragma once

/// What a job promises about each read, by its configuration alone. Written anew from the
/// definitions (schema/parameters.capnp, "Strategy") and not from the shard's strategies, which it
/// checks.

#include "actors/job/job_plan.hpp"
#include "actors/record/event.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::record {

class contract {
public:
  explicit contract(const job::job_plan& plan);

  /// "ssp with staleness 3".
  const std::string& text() const { return text_; }
  bool sums_steps() const { return mode_ == mode::bulk; }
  bool by_rank() const { return mode_ != mode::free; }
  std::uint64_t first_step() const { return first_step_; }
  std::uint64_t steps() const { return steps_; }
  std::uint32_t pieces() const { return pieces_; }
  std::uint64_t workers() const { return workers_; }
  std::uint64_t backups() const { return backups_; }
  /// Whether a worker pushes each of its pieces by itself.
  bool by_piece() const { return by_rank() && !sums_steps(); }
  /// The pieces of a step that are a worker's, where workers take steps by rank.
  job::piece_run share(std::uint64_t step, std::uint64_t rank) const;
  /// Pieces that a generation of workers is not given again.
  const job::piece_set& done() const { return done_; }
  /// Whether a plan has the same options, so that it is for another generation of workers.
  bool has_options_of(const contract& other) const { return options_ == other.options_; }
  /// Whether workers or servers have changed between two generations.
  bool has_members_of(const contract& other) const { return layout_ == other.layout_; }
  /// Whether a worker adds its own pushes to what it reads.
  bool adds_own(std::uint64_t rank) const { return adds_own_[rank]; }
  /// Pushes that make a step, where steps are summed.
  std::uint64_t step_pushes() const { return workers_ - backups_; }

  /// What is wrong with a training read, in words, if something is. `completed`: by rank, all
  /// pushes before this one are in the parameters; `begun`: none from this one on is, not in part.
  std::optional<std::string> fault_of(const read_record& read,
                                      const std::vector<std::uint64_t>& completed,
                                      std::uint64_t begun) const;

private:
  enum class mode : std::uint8_t { bulk, stale, delayed, free };
  std::optional<std::string> bulk_fault(const read_record& read) const;
  std::optional<std::string> stale_fault(const read_record& read,
                                         const std::vector<std::uint64_t>& completed,
                                         std::uint64_t begun) const;
  /// The same of what it has of the worker's own pushes.
  std::optional<std::string> own_fault(const read_record& read, std::uint64_t completed,
                                       std::uint64_t begun) const;
  std::optional<std::string> delay_fault(const read_record& read,
                                         const std::vector<std::uint64_t>& completed) const;

  mode mode_ = mode::free;
  std::string text_;
  std::uint64_t bound_ = 0; // staleness, or delay
  std::uint64_t backups_ = 0;
  std::uint64_t workers_ = 0;
  std::uint64_t first_step_ = 0;
  std::uint64_t steps_ = 0;
  std::uint32_t pieces_ = 0;
  job::piece_set done_;
  std::string options_;
  std::uint64_t layout_ = 0;
  std::vector<bool> adds_own_; // by rank
};

} // namespace gradmesh::record
