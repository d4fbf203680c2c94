#include "tools/sim/wire_watch.hpp"

#include "actors/mesh/message.hpp"

#include <fmt/format.h>
#include <xxhash.h>

namespace gradmesh::tools::sim {

std::string kind_name(std::uint16_t kind) {
  switch (static_cast<schema::MessageKind>(kind)) {
#define GRADMESH_CASE(type, ordinal, on_lane)                                                      \
  case schema::MessageKind::ordinal:                                                               \
    return #type;
    GRADMESH_MESSAGES(GRADMESH_CASE)
#undef GRADMESH_CASE
  default:
    return fmt::format("kind {}", kind);
  }
}

void trace_hash::add(std::uint64_t number) {
  value_ = XXH3_64bits_withSeed(&number, sizeof number, value_);
}

void trace_hash::add(const std::string& text) {
  value_ = XXH3_64bits_withSeed(text.data(), text.size(), value_);
}

void wire_watch::see(const simulation::delivery& d) {
  ++frames_;
  const auto& h = d.frame->header;
  hash_.add(static_cast<std::uint64_t>(d.when.time_since_epoch().count()));
  hash_.add(std::uint64_t{d.from} << 32 | d.to);
  hash_.add(std::uint64_t{h.kind} << 48 | d.frame->wire_bytes());
  layouts_.see(d.frame);
  layouts_.see_answer(h, d.receiver);
  if (violation_.empty()) violation_ = layouts_.violation();
  if (h.kind == mesh::message_traits<schema::JobPlan>::kind) {
    if (const auto plan = mesh::message<schema::JobPlan>::decode(d.frame))
      said({h.kind, h.from.uuid,
            fmt::format("job {}, revision {}, layout {}", (**plan).getJobId(),
                        (**plan).getRevision(), (**plan).getLayout().getNumber())},
           *d.frame);
  } else if (h.kind == mesh::message_traits<schema::StartPhase>::kind) {
    if (const auto start = mesh::message<schema::StartPhase>::decode(d.frame))
      said({h.kind, h.from.uuid,
            fmt::format("job {}, phase {}", (**start).getJobId(), (**start).getPhase())},
           *d.frame);
  } else if (h.kind == mesh::message_traits<schema::BackupReport>::kind) {
    if (const auto report = mesh::message<schema::BackupReport>::decode(d.frame))
      has_parted_ = has_parted_ || !(**report).getSynced();
  } else if (h.kind == mesh::message_traits<schema::View>::kind) {
    // Each life counts them anew.
    if (const auto view = mesh::message<schema::View>::decode(d.frame))
      said({h.kind, h.from.uuid,
            fmt::format("life {}, epoch {}", h.from.incarnation, (**view).getEpoch())},
           *d.frame);
  }
}

void wire_watch::said(const statement& what, const mesh::frame& f) {
  const auto words = XXH3_64bits(f.metadata.data(), f.metadata.size() * sizeof(std::uint64_t));
  const auto [before, first] = said_.try_emplace(what, words);
  if (first || before->second == words || !violation_.empty()) return;
  violation_ = fmt::format("the coordinator says two different things in a {} ({})",
                           kind_name(std::get<0>(what)), std::get<2>(what));
}

} // namespace gradmesh::tools::sim
