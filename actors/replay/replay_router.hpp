#pragma once

/// Where the shards and workers of a replayed job meet: a router of its own, all in one thread;
/// answers come back at once.

#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"

#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace gradmesh::replay {

class replay_router {
public:
  replay_router();
  replay_router(const replay_router&) = delete;
  replay_router& operator=(const replay_router&) = delete;

  const std::shared_ptr<mesh::router>& router() const { return router_; }

  /// The places of so many workers, whose messages are kept here.
  std::vector<job::place> bind_workers(std::size_t count);

  /// A message of a worker as a shard receives it.
  template <class T>
  result<mesh::message<T>> received(const mesh::draft<T>& draft, std::uint32_t rank) {
    auto frame = std::make_shared<mesh::frame>(
        draft.build({}, worker_service(rank), 0, mesh::message_traits<T>::on));
    frame->header.from = router_->self();
    frame->header.message_id = ++messages_;
    return mesh::message<T>::decode(std::move(frame));
  }

  /// What came to the workers since the last call.
  std::deque<mesh::frame_ptr> take_answers() { return std::exchange(answers_, {}); }

private:
  static mesh::service_id worker_service(std::uint32_t rank);

  std::shared_ptr<mesh::router> router_;
  std::deque<mesh::frame_ptr> answers_;
  std::uint64_t messages_ = 0;
};

} // namespace gradmesh::replay
