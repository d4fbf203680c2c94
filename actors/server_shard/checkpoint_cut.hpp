#pragma once

/// What a primary does while a checkpoint is made: it keeps pushes waiting that are not of the cut,
/// and sends its image to the coordinator when it has all that are. The stages, and why each shard
/// comes to the same cut, are specified in schema/checkpointing.capnp. Plain code, used by its
/// shard_job alone.
///
/// Failure: whoever asked for the checkpoint asks again, or gives it up; if nothing is heard of it
/// for a while, or the layout changes, all is as if it had not begun.
///
/// Memory: the pushes that workers may have under way, and of an image what is not taken.

#include "actors/env/clock.hpp"
#include "actors/job/piece_set.hpp"
#include "actors/mesh/router.hpp"
#include "actors/server_shard/image_chunk.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::server_shard {

using mesh::message;

class checkpoint_cut {
public:
  /// Chunks on their way: enough to keep a link busy.
  static constexpr std::uint64_t chunks_in_flight_max = 4;

  /// Whose part of which checkpoint it is.
  struct ticket {
    std::uint64_t number = 0;
    std::uint64_t job_id = 0;
    std::uint32_t shard = 0;
    mesh::service_id self;
    mesh::address coordinator;
    env::time_point until; // it is dropped then, unless it is asked for again
  };

  /// From now on only pushes of pieces that are begun pass. False for a checkpoint that is past
  /// holding, or over.
  bool hold(const ticket& asked, job::piece_set begun);
  /// All pieces of the cut pass, and nothing else does until they are applied. False if that was so
  /// before, or the cut lacks what was begun here.
  bool cut(const ticket& asked, job::piece_set pieces);
  /// It is not wanted any more.
  void drop(std::uint64_t number);
  void drop() { drop(ticket_.number); }

  /// Pieces that were begun when it held; from `cut` on, those of the cut, until it is reached.
  const job::piece_set& pieces() const { return passing_; }
  bool is_due(env::time_point now) const { return stage_ != stage::none && now > ticket_.until; }
  /// Whether a push may be taken now.
  bool passes(const message<schema::Push>& push, std::uint64_t pieces_of_step) const;
  /// Whether this is the moment of the image.
  bool is_reached(const job::piece_set& done) const;

  void park(const message<schema::Push>& push) { parked_.push_back(push); }
  std::size_t parked() const { return parked_.size(); }
  std::vector<message<schema::Push>> take_parked() { return std::exchange(parked_, {}); }

  /// The image of the moment; pushes pass again.
  void freeze(std::vector<frozen_chunk> image);
  /// The coordinator has so many chunks; `again`: and not what was sent beyond.
  void on_taken(std::uint64_t number, std::uint64_t chunks, bool again);
  /// Sends what can be sent.
  void send_more(mesh::router& router);

private:
  enum class stage : std::uint8_t { none, holding, cutting, sending };

  bool keeps_waiting() const { return stage_ == stage::holding || stage_ == stage::cutting; }

  stage stage_ = stage::none;
  ticket ticket_;
  job::piece_set passing_;
  std::vector<message<schema::Push>> parked_; // in the order in which they came
  std::vector<frozen_chunk> image_;           // empty where it is taken
  std::uint64_t sent_ = 0;
  std::uint64_t taken_ = 0;
};

} // namespace gradmesh::server_shard
