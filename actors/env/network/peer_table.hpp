#pragma once

/// Who is connected or about to be, and the rules of it:
/// - a node is connected once; a higher incarnation replaces a lower one, anything else is refused;
///   with TLS only the node of the same name can be a later incarnation;
/// - a peer is up when both of its lanes are open, and what is not up in time is dropped;
/// - when two nodes dial each other at the same moment, the link that the smaller uuid dialled
/// wins.
///
/// Lives on the loop thread.

#include "actors/env/network/link.hpp"

#include <map>

namespace gradmesh::env {

class peer_table final : private kj::TaskSet::ErrorHandler {
public:
  /// Names a link that is being made; stale when the link was dropped or is up.
  using ticket = std::uint64_t;

  peer_table(loop_context& context, routes& up);

  /// A Hello came; `shown`: on the local socket. The other lane must be open at the `deadline` of
  /// the first. Errors: `refused`.
  result<ticket> accept(const peer& dialer, mesh::lane l, kj::TimePoint deadline,
                        const std::optional<local_ticket>& shown = std::nullopt);
  /// Lets the dialer open its bulk lane on the local socket, if it shows this there.
  void expect_local(ticket t, const local_ticket& expected);
  /// A Welcome came on the control lane of a link that this node dials. Errors: `refused`.
  result<ticket> claim(const peer& listener);
  /// The lane's handshake is done; the second one brings the peer up. False when the ticket is
  /// stale.
  bool open_lane(ticket t, mesh::lane l, kj::Own<connection> opened);
  /// The handshake failed. A stale ticket does nothing.
  void abandon(ticket t);

  void wake_writer(const mesh::node_identity& to, mesh::lane l);
  void grant(const mesh::node_identity& to, mesh::lane l);
  void drop(const mesh::node_identity& who, error why);
  void drop(const mesh::node_uuid& who, error why);

  /// Lets every link finish; resolves when none is left. No accept, claim or open_lane after it.
  kj::Promise<void> finish();

private:
  struct entry {
    mesh::node_identity identity;
    peer who; // as it said on its first lane
    ticket number = 0;
    bool dialled = false;
    std::optional<local_ticket> local;
    std::array<bool, mesh::lane_count> claimed{};
    std::array<kj::Own<connection>, mesh::lane_count> waiting;
    kj::Own<link> up;
    // Tasks of a link that is being made; they drop the entry and must not outlive it.
    std::vector<kj::Promise<void>> watches;
  };
  using entries = std::map<mesh::node_uuid, entry>;

  entry& add(const peer& who, bool dialled);
  entries::iterator find(ticket t);
  /// Null unless this very incarnation is up.
  link* find_up(const mesh::node_identity& who);
  void remove(entries::iterator at, error why);
  void bring_up(entry& e);
  /// What the first lane of a link brought before the second was open.
  void came_early(ticket t, const result<mesh::frame_ptr>& f);
  /// Whether a node with the uuid of `held` is its later incarnation. Errors: `refused`.
  result<void> check_succeeds(const entry& held, const peer& newcomer) const;
  /// As `abandon`, with a word about it.
  void reject(ticket t, const std::string& why);
  void taskFailed(kj::Exception&& e) override;

  loop_context& context_;
  routes& routes_;
  ticket last_ticket_ = 0;
  entries entries_;
  kj::Own<kj::PromiseFulfiller<void>> emptied_;
  kj::TaskSet graveyard_;
};

} // namespace gradmesh::env
