#include "tools/lab/rank_order.hpp"

#include <optional>

namespace gradmesh::tools::lab {
namespace {

template <class T>
std::optional<mesh::message<T>> as(const mesh::frame_ptr& f) {
  if (f->header.kind != mesh::message_traits<T>::kind) return std::nullopt;
  const auto decoded = mesh::message<T>::decode(f);
  return decoded ? std::optional(*decoded) : std::nullopt;
}

/// The block at the front of a body.
template <class T>
std::vector<float> front(const mesh::message<T>& m, std::size_t floats) {
  const auto found = m.template array<float>(0, floats);
  return found ? std::vector<float>(found->begin(), found->end()) : std::vector<float>();
}

} // namespace

void rank_order_watch::see(const mesh::node_uuid& to, const mesh::frame_ptr& f) {
  if (const auto pull = as<schema::Pull>(f)) {
    const auto parts = (**pull).getParts();
    if (parts.size() > 0 && parts[0].isBlock())
      pulls_.emplace(f->header.from.uuid, f->header.message_id);
  } else if (const auto push = as<schema::Push>(f)) {
    const auto parts = (**push).getParts();
    if (parts.size() > 0 && parts[0].getPart().isBlock())
      gradients_[parts[0].getSequence()].try_emplace((**push).getRank(), front(*push, floats_));
  } else if (const auto pulled = as<schema::Pulled>(f)) {
    const auto numbers = (**pulled).getParts();
    if (numbers.size() == 0 || numbers[0] != 0 || !pulls_.contains({to, f->header.in_reply_to}))
      return;
    const auto clock = (**pulled).getClock();
    if (parameters_.try_emplace(clock, front(*pulled, floats_)).second && clock > 0)
      compare(clock - 1);
  }
}

void rank_order_watch::compare(std::uint64_t step) {
  const auto before = parameters_.find(step);
  const auto pushed = gradients_.find(step);
  if (before == parameters_.end() || pushed == gradients_.end() || pushed->second.size() != workers)
    return;
  const auto& after = parameters_.at(step + 1);
  const auto& by_rank = pushed->second;
  ++steps_;
  for (std::size_t i = 0; i < floats_; ++i) {
    const float sum = (by_rank.at(0)[i] + by_rank.at(1)[i]) + by_rank.at(2)[i];
    // Stored, so that no compiler fuses the product with the difference.
    const volatile float change = learning_rate_ * sum;
    if (before->second[i] - change != after[i]) {
      ++different_;
      return;
    }
  }
}

} // namespace gradmesh::tools::lab
