#pragma once

/// Who may answer for a shard, as seen on the wire: the coordinator names one primary for each
/// shard of a layout and never another one under the same number, and nobody but this primary
/// answers a request that was made under the layout.

#include "actors/job/shard_layout.hpp"
#include "actors/mesh/message.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::tools::sim {

class layout_watch {
public:
  /// A frame that is delivered.
  void see(const mesh::frame_ptr& f);
  /// The same of one that may be an answer, with the node that it is delivered to.
  void see_answer(const mesh::frame_header& answer, const mesh::node_uuid& to);

  /// The first contradiction; empty if there is none.
  const std::string& violation() const { return violation_; }

private:
  struct request {
    std::uint64_t job = 0;
    std::uint64_t layout = 0;
    std::uint32_t shard = 0;
  };
  struct statement {
    mesh::node_uuid coordinator;
    job::shard_layout layout;
  };

  void said(const mesh::frame_header& by, std::uint64_t job, schema::Layout::Reader in);
  /// Whether a primary of the layout that a request names is `who`.
  bool may_answer(const request& asked, const mesh::address& who) const;

  /// By job and number; more than one where a coordinator was replaced that had forgotten the job.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<statement>> layouts_;
  /// By who asked, and the number of his message.
  std::map<std::pair<mesh::node_uuid, std::uint64_t>, request> requests_;
  std::string violation_;
};

} // namespace gradmesh::tools::sim
