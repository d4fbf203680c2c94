#include "tools/sim/layout_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace gradmesh::tools::sim {
namespace {

template <class T, class Handler>
void if_is(const mesh::frame_ptr& f, const Handler& handle) {
  if (f->header.kind != mesh::message_traits<T>::kind) return;
  if (const auto decoded = mesh::message<T>::decode(f)) handle(**decoded);
}

} // namespace

void layout_watch::see(const mesh::frame_ptr& f) {
  const auto& h = f->header;
  if_is<schema::Layout>(f, [&](auto layout) { said(h, layout.getJobId(), layout); });
  if_is<schema::JobPlan>(f, [&](auto plan) { said(h, plan.getJobId(), plan.getLayout()); });
  const auto asks = [&](auto in) {
    requests_[{h.from.uuid, h.message_id}] = {in.getJobId(), in.getLayout(), in.getShard()};
  };
  if_is<schema::Pull>(f, asks);
  if_is<schema::Push>(f, asks);
}

void layout_watch::see_answer(const mesh::frame_header& answer, const mesh::node_uuid& to) {
  if (answer.kind != mesh::message_traits<schema::Pulled>::kind &&
      answer.kind != mesh::message_traits<schema::Pushed>::kind)
    return;
  const auto asked = requests_.find({to, answer.in_reply_to});
  if (asked == requests_.end() || !violation_.empty()) return;
  const mesh::address who{answer.from.uuid, answer.from_service};
  if (!may_answer(asked->second, who))
    violation_ = fmt::format("node {} answers for shard {} of job {}, whose primary it is not in "
                             "layout {}",
                             mesh::short_name(who.node), asked->second.shard, asked->second.job,
                             asked->second.layout);
}

void layout_watch::said(const mesh::frame_header& by, std::uint64_t job,
                        schema::Layout::Reader in) {
  auto layout = job::decode(in);
  if (!layout) return; // its receiver refuses it
  auto& known = layouts_[{job, layout->number}];
  const auto before = std::ranges::find(known, by.from.uuid, &statement::coordinator);
  if (before == known.end())
    known.push_back({by.from.uuid, std::move(*layout)});
  else if (before->layout != *layout && violation_.empty())
    violation_ = fmt::format("the coordinator says two different things of layout {} of job {}",
                             layout->number, job);
}

bool layout_watch::may_answer(const request& asked, const mesh::address& who) const {
  const auto known = layouts_.find({asked.job, asked.layout});
  return known != layouts_.end() && std::ranges::any_of(known->second, [&](const statement& s) {
           return asked.shard < s.layout.size() && s.layout.primary(asked.shard).where == who;
         });
}

} // namespace gradmesh::tools::sim
