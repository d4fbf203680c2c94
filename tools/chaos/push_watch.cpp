#include "tools/chaos/push_watch.hpp"

#include "actors/mesh/receive.hpp"

namespace gradmesh::tools::chaos {
namespace {

/// Pushes without an answer: those of connections that broke stay for a while.
constexpr std::size_t open_max = 100'000;

template <class T>
std::optional<mesh::message<T>> as(const mesh::frame_ptr& f) {
  if (f->header.kind != mesh::message_traits<T>::kind) return std::nullopt;
  auto decoded = mesh::message<T>::decode(f);
  return decoded ? std::optional(*std::move(decoded)) : std::nullopt;
}

} // namespace

connection_listener push_watch::listen(const std::string& target) {
  // Whoever dials is known by its first frame, before anything is answered.
  const auto dialer = std::make_shared<mesh::node_uuid>();
  const auto scan = [](auto on_frame) {
    return [scan = std::make_shared<frame_scan>(on_frame)](std::string_view bytes) {
      scan->take(bytes);
    };
  };
  return {
      scan([this, dialer](const mesh::frame_ptr& f) { see_request(*dialer, f); }),
      scan([this, dialer, target](const mesh::frame_ptr& f) { see_answer(*dialer, target, f); })};
}

void push_watch::see_request(mesh::node_uuid& dialer, const mesh::frame_ptr& f) {
  const std::lock_guard lock(mutex_);
  dialer = f->header.from.uuid;
  const auto push = as<schema::Push>(f);
  if (!push) return;
  if (open_.size() >= open_max) open_.clear();
  (void)mesh::guarded([&] {
    open_[{dialer, f->header.message_id}] = {(**push).getShard(), clock::now()};
    return result<void>();
  });
}

void push_watch::see_answer(const mesh::node_uuid& dialer, const std::string& from,
                            const mesh::frame_ptr& f) {
  const std::lock_guard lock(mutex_);
  const auto asked = open_.find({dialer, f->header.in_reply_to});
  if (asked == open_.end()) return;
  const auto [shard, sent] = asked->second;
  if (as<schema::Pushed>(f)) {
    primaries_[shard] = from;
    shards_[shard].acknowledged.push_back({sent, clock::now()});
  } else if (const auto refusal = as<schema::Refusal>(f)) {
    (void)mesh::guarded([&] {
      shards_[shard].refused.push_back(
          {clock::now(), std::string(to_string(mesh::to_error(**refusal).code))});
      return result<void>();
    });
  } else {
    return;
  }
  open_.erase(asked);
}

void push_watch::mark(const std::map<std::uint32_t, std::string>& backups) {
  const std::lock_guard lock(mutex_);
  shards_.clear();
  for (const auto& [shard, primary] : primaries_) {
    shards_[shard].primary = primary;
    if (const auto found = backups.find(shard); found != backups.end())
      shards_[shard].backup = found->second;
  }
}

std::map<std::uint32_t, shard_pushes> push_watch::since_mark() const {
  const std::lock_guard lock(mutex_);
  return shards_;
}

} // namespace gradmesh::tools::chaos
