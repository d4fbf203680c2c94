#include "actors/coordinator/open_requests.hpp"

#include <utility>

namespace gradmesh::coordinator {

void open_requests::add(const mesh::address& whom,
                        std::function<result<mesh::sent_message>()> send_it, env::time_point now) {
  const auto number = next_++;
  auto& added = open_[number] = {whom, std::move(send_it), now};
  send(number, added, now);
}

void open_requests::send(std::uint64_t number, request& r, env::time_point now) {
  r.sent_at = now;
  // Where it cannot be sent the link is down: it comes up again, or its node is given up.
  if (const auto sent = r.send()) sent_[sent->message_id] = number;
}

bool open_requests::take(const mesh::frame_header& answer) {
  const auto asked = sent_.find(answer.in_reply_to);
  if (asked == sent_.end()) return false;
  const auto found = open_.find(asked->second);
  if (found == open_.end() || found->second.whom.node != answer.from.uuid) return false;
  open_.erase(found);
  return true;
}

std::set<mesh::address> open_requests::waiting_for() const {
  std::set<mesh::address> who;
  for (const auto& [number, r] : open_)
    who.insert(r.whom);
  return who;
}

void open_requests::clear() {
  open_.clear();
  sent_.clear();
}

void open_requests::repeat(env::time_point now, std::chrono::milliseconds interval) {
  for (auto& [number, r] : open_)
    if (now - r.sent_at >= interval) send(number, r, now);
}

void open_requests::repeat_to(const mesh::node_uuid& node, env::time_point now) {
  for (auto& [number, r] : open_)
    if (r.whom.node == node) send(number, r, now);
}

} // namespace gradmesh::coordinator
