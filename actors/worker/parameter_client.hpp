#pragma once

/// A worker's requests to the shards of a job: pulls and pushes, part by part. Small parts that are
/// wanted at the same moment share a message; what is on its way to or from a shard is bounded, and
/// the rest waits here, where it costs nothing. A request that a shard cannot take now is sent
/// again; so is, where its shard is by then, what has no answer when the link to the shard's
/// primary breaks or another server becomes the primary. A push is kept until it is acknowledged.
///
/// Plain code, one owner: messages go out by the router, answers are handed in, time comes by
/// argument. Nothing is sent before `advance`. An error that a function returns cannot be mended by
/// sending again. An answer to nothing that was asked here is ignored.

#include "actors/env/clock.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/mesh/router.hpp"
#include "actors/parameters/slicer.hpp"
#include "actors/rules.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace gradmesh::worker {

using mesh::message;

struct parameter_traffic {
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t retries = 0; // messages that were sent again because a shard said so
  std::uint64_t resent = 0;  // and because their shard was lost, or moved
};

class parameter_client {
public:
  /// `plan`, `router` and `layout` outlive the client.
  parameter_client(const job::job_plan& plan, std::uint32_t rank, mesh::service_id self,
                   mesh::router& router, const parameters::body_layout& layout,
                   rule_set rules = {});

  /// A part of an answer; the values are gone after the call.
  struct pulled_part {
    const parameters::part& what;
    std::uint32_t number = 0; // in the slice
    std::span<const float> values;
    std::uint64_t clock = 0;       // of the shard
    std::uint64_t own_missing = 0; // as in schema::Pulled
  };
  using values_handler = std::function<void(const pulled_part& part)>;
  /// The worker's clock, which is also the step that errors name; 1 + the sequence of the push that
  /// the values are for, or 0; whether they are those of the latest snapshot (SVRG), and whether
  /// the worker adds its own pushes that are missing.
  struct pull_purpose {
    std::uint64_t clock = 0;
    std::uint64_t for_push = 0;
    bool of_snapshot = false;
    bool adds_own = false;
    bool operator==(const pull_purpose&) const = default;
  };
  /// Asks a shard for all parts of a slice.
  void pull(std::size_t shard, pull_purpose purpose, std::shared_ptr<const parameters::slice> slice,
            values_handler on_values);

  /// One part of a push: its keys, if it has any, and then its values, as they stand in a body.
  using part_body = mesh::writable_body;
  /// Told with the staleness of the push when the shard has all parts.
  using pushed_handler = std::function<void(std::uint64_t staleness)>;
  /// Which push it is, and what its gradients were computed from: values, and pieces of a step.
  struct push_origin {
    std::uint64_t sequence = 0;
    std::uint64_t read_clock = 0;
    std::uint64_t step = 0;
    std::uint32_t first_piece = 0;
    std::uint32_t pieces = 0;
    std::vector<std::uint64_t> own_steps{}; // by part, as in schema::PushedPart; empty: zeros
  };
  /// Pushes `bodies`, one for each part of the slice.
  void push(std::size_t shard, const push_origin& origin,
            std::shared_ptr<const parameters::slice> slice, std::vector<part_body> bodies,
            pushed_handler on_pushed);

  /// Sends what the windows allow.
  result<void> advance(env::time_point now);

  /// The plan has got another layout; `before`: what it was.
  void on_layout(const job::shard_layout& before);
  /// The link to a node broke.
  void on_link_lost(const mesh::node_uuid& node);

  result<void> on_pulled(const message<schema::Pulled>& pulled);
  result<void> on_pushed(const message<schema::Pushed>& pushed);
  result<void> on_refused(const message<schema::Refusal>& refusal);

  /// The request that has been without an answer for longest, if there is one.
  struct oldest_request {
    env::time_point since;
    std::string text; // "the push of step 7 by shard 0 on 'server-0'"
  };
  std::optional<oldest_request> oldest() const;
  /// A shard is in a layout that has not come here yet.
  bool is_fenced() const { return fenced_; }
  const parameter_traffic& traffic() const { return traffic_; }

private:
  enum class kind : std::uint8_t { pull, push };
  /// A pull or push of a slice.
  struct request {
    kind what;
    std::size_t shard = 0;
    pull_purpose purpose; // pull
    push_origin origin;   // push
    std::shared_ptr<const parameters::slice> slice;
    std::vector<part_body> bodies; // push
    values_handler on_values;
    pushed_handler on_pushed;
    std::size_t missing = 0; // parts without an answer
    std::uint64_t staleness = 0;
  };
  /// One part of it, on its way or waiting.
  struct item {
    std::shared_ptr<request> of;
    std::uint32_t part = 0;
    std::optional<env::time_point> since{}; // first tried to send
    const parameters::part& content() const { return of->slice->parts[part]; }
  };
  struct message_parts {
    std::vector<item> items; // in the order of the message; empty where answered
    std::size_t missing = 0;
    env::time_point since;
  };
  struct shard_queue {
    std::array<std::deque<item>, 2> waiting;          // by kind
    std::array<std::size_t, 2> bytes_on_way{};        // by kind: of requests without an answer
    std::deque<parameters::key_list_name> known_keys; // to the shard, as far as we know
    std::chrono::milliseconds pause{0};               // before the next, since the last `advance`
    env::time_point resume_at{};
  };

  std::size_t bytes_of(const item& i) const;
  std::string describe(const request& r) const;
  std::deque<item>& waiting(std::size_t shard, kind k) {
    return shards_[shard].waiting[static_cast<std::size_t>(k)];
  }
  std::size_t& on_way(std::size_t shard, kind k) {
    return shards_[shard].bytes_on_way[static_cast<std::size_t>(k)];
  }
  /// Whether the shard may remember the keys of a part, and whether it should by now.
  bool may_be_named(const parameters::part& p) const;
  bool is_known(const item& i) const;
  void note_known(const item& i);
  void write(schema::Part::Builder out, const item& i) const;
  /// What goes into the body for a part: of a pull, of a push.
  std::span<const std::byte> keys_of(const item& i) const;
  std::span<const std::byte> body_of(const item& i) const;
  /// The next parts for one message; none if there are none or the window is full.
  std::vector<item> take(std::size_t shard, kind k);
  result<bool> send_pull(std::vector<item> items, env::time_point now);
  result<bool> send_push(std::vector<item> items, env::time_point now);
  template <class T>
  result<bool> send(const mesh::draft<T>& draft, std::vector<item> items, env::time_point now);
  void put_back(std::vector<item> items);
  /// Everything that is on its way to a shard waits to be sent again.
  void put_back_all(std::size_t shard);
  /// Breaks the rule pushes_kept: what was sent once counts as acknowledged.
  void forget_pushes(std::size_t shard);
  /// The message that an answer is for, if the answer is of its kind.
  message_parts* find(const mesh::frame_header& answer, kind k);
  /// The part that an answer names by its number in the message.
  result<item> take_answered(message_parts& of, std::uint32_t number, const char* answer);
  /// The values of a part in an answer; nothing if they are not there.
  std::optional<std::span<const float>> values_at(const message<schema::Pulled>& pulled,
                                                  std::uint64_t at, std::size_t floats);
  void forget_if_answered(std::uint64_t message_id);

  const job::job_plan& plan_;
  const std::uint32_t rank_;
  const mesh::service_id self_;
  mesh::router& router_;
  const parameters::body_layout& layout_;
  const parameters::transfer_format pull_format_;
  const rule_set rules_;
  std::vector<float> decoded_; // values that did not come as float32
  std::vector<shard_queue> shards_;
  std::map<std::uint64_t, message_parts> on_way_; // by message id, in the order of sending
  parameter_traffic traffic_;
  bool fenced_ = false;
};

} // namespace gradmesh::worker
