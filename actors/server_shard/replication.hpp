#pragma once

/// What a shard's primary sends to its backup: the image that the backup begins with, if it has
/// nothing, and every change behind it, until the backup has acknowledged it. The messages and
/// their order are specified in schema/replication.capnp.
///
/// Pushes are acknowledged by what this says (`has`): with a backup that may be promoted, only when
/// the backup has them. A backup that cannot be reached holds that up until the next layout:
/// whether there is a backup is the coordinator's decision.
///
/// Memory: what is not acknowledged, at most about `waiting_bytes_max` (is_full), and of an
/// image what is not sent.

#include "actors/env/clock.hpp"
#include "actors/job/place.hpp"
#include "actors/mesh/router.hpp"
#include "actors/rules.hpp"
#include "actors/server_shard/shard_parameters.hpp"
#include "actors/server_shard/update_sink.hpp"
#include "actors/server_shard/waiting_changes.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::server_shard {

/// Who the primary is, and whom it tells that its backup is complete.
struct replication_ends {
  std::uint64_t job_id = 0;
  std::uint32_t shard = 0;
  mesh::service_id self;
  mesh::address backup;
  std::uint64_t pairing = 0;
  mesh::address coordinator;
  std::size_t waiting_bytes_max = 256u << 20; // about; see is_full
};

class replication final : public update_sink {
public:
  /// Chunks of an image on their way: enough to keep a link busy.
  static constexpr std::uint64_t chunks_in_flight_max = 16;
  /// Changes that pushes may still join are sent together, when one in so many of those before is
  /// left on its way: that keeps the link busy, and lets pushes join, since one block for two
  /// pushes is sent, taken and applied once.
  static constexpr std::uint64_t next_turn_at = 3;

  /// `parameters` outlive it.
  replication(replication_ends ends, std::uint64_t layout, std::shared_ptr<mesh::router> router,
              shard_parameters& parameters, const rule_set& rules)
      : ends_(ends), layout_(layout), router_(std::move(router)), parameters_(parameters),
        rules_(rules), changes_(parameters.store(), rules) {}

  const mesh::address& backup() const { return ends_.backup; }
  /// Whether the coordinator knows, by the present layout, that the backup has everything.
  bool is_synced() const { return synced_; }

  /// Whether it has begun with a whole image, or did not need one.
  bool is_complete() const { return gates_; }

  /// The backup is a copy of the shard as it was when it began, or as it is after what it
  /// acknowledged under an earlier layout.
  void take_as_synced() { synced_ = gates_ = true; }
  /// The backup has nothing; it is sent this first.
  void begin_with(std::vector<mesh::frame_body> image);
  /// Not before the open step is applied can the backup be told of as complete.
  void wait_for_step() { waits_for_step_ = true; }
  void step_is_applied();
  /// The next layout keeps the pair: what is not acknowledged is sent again under its number.
  void change_layout(std::uint64_t number, const mesh::address& coordinator, bool synced);

  // What the shard does (update_sink).
  void pushed(const mesh::message<schema::Push>& push, std::uint32_t rank,
              std::span<const applied_part> parts) override;
  void summed(std::uint32_t block, mesh::frame_body sum) override;
  void summed(std::span<const std::uint64_t> keys, std::span<const float> rows) override;
  void applied(const applied_step& step) override;

  /// The number of the last change.
  std::uint64_t last() const { return changes_.last(); }
  /// Whether what was changed up to a number may be acknowledged.
  bool has(std::uint64_t number) const;
  /// Whether so much waits for the backup that no more should be changed.
  bool is_full() const { return changes_.bytes() > ends_.waiting_bytes_max; }
  std::size_t waiting_bytes() const { return changes_.bytes(); }

  /// What the backup did not acknowledge is sent again with the next `send_more`: a link broke.
  void rewind();
  /// The backup refused something, for instance because it did not have the layout yet: nothing is
  /// sent until `resume`, and then from there on.
  void pause() { paused_ = true; }
  void resume();
  // What the backup answers, under the present layout.
  void on_replicated(std::uint64_t next);
  void on_snapshot_taken(std::uint64_t chunks);

  /// Looks after what was sent; called now and then.
  void tick(env::time_point now);
  /// Sends what can be sent. Called after changes, and now and then.
  void send_more();

private:
  /// Whether changes are told to the backup now.
  bool follows() const;
  /// Gives what waits its turn, if it is time.
  void begin_turn();
  /// Tells the coordinator, if it does not know, that the backup has everything.
  void tell_synced();
  void report(bool synced);
  bool send_image();
  template <class T>
  bool send(const mesh::address& to, const mesh::draft<T>& draft);
  replication_ends ends_;
  std::uint64_t layout_;
  const std::shared_ptr<mesh::router> router_;
  shard_parameters& parameters_;
  const rule_set rules_;

  std::vector<mesh::frame_body> image_; // chunks; empty where they are in
  std::uint64_t chunks_sent_ = 0;
  std::uint64_t chunks_taken_ = 0;

  waiting_changes changes_;
  std::vector<change_draft> of_step_; // of the step that is being applied
  std::uint64_t sent_ = 0;            // the last number that was sent under this layout
  std::uint64_t sent_once_ = 0;       // or under an earlier one
  std::uint64_t turn_last_ = 0;       // joined changes up to this number may be sent
  std::uint64_t turn_changes_ = 0;    // that the backup did not have when that was said
  bool gates_ = false;                // pushes are acknowledged when the backup has them
  std::uint64_t promised_ = 0;        // gates_: what was acknowledged before that
  bool waits_for_step_ = false;
  bool synced_ = false;
  bool unreachable_ = false;
  bool paused_ = false;
  std::optional<env::time_point> silent_since_; // the backup acknowledges nothing of what waits
};

} // namespace gradmesh::server_shard
