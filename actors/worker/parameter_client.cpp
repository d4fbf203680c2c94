#include "actors/worker/parameter_client.hpp"

#include "actors/defaults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradmesh::worker {
namespace {

/// Bytes of parts that may be on their way to a shard, and from it: enough to keep a fast link busy
/// over its round trip, and half of the queue that a shard keeps for a worker.
constexpr std::size_t window_bytes = 32u << 20;
/// After a shard said "retry later".
constexpr std::chrono::milliseconds pause_after_refusal{10};

std::size_t padded(std::size_t bytes) {
  return (bytes + 7) / 8 * 8;
}

/// Key lists that are worth a hash, and lists of which we believe that a shard knows them: fewer
/// than it remembers.
constexpr std::size_t named_keys_min = 16;
constexpr std::size_t known_lists_max = 48;

/// What the parts of a message have, `bytes_of(item)`, as one body.
template <class Items, class Bytes>
mesh::frame_body join(const Items& items, Bytes bytes_of) {
  std::size_t size = 0;
  for (const auto& i : items)
    size += padded(bytes_of(i).size());
  const auto body = mesh::allocate_body(size);
  auto* to = body.bytes.data();
  for (const auto& i : items) {
    const std::span<const std::byte> bytes = bytes_of(i);
    const auto end = std::copy(bytes.begin(), bytes.end(), to);
    to += padded(bytes.size());
    std::fill(end, to, std::byte{0});
  }
  return body.share();
}

} // namespace

parameter_client::parameter_client(const job::job_plan& plan, std::uint32_t rank,
                                   mesh::service_id self, mesh::router& router,
                                   const parameters::body_layout& layout, rule_set rules)
    : plan_(plan), rank_(rank), self_(self), router_(router), layout_(layout),
      pull_format_(job::transfer_format_of(plan.config.job.pull_as)), rules_(rules),
      shards_(plan.layout.size()) {}

void parameter_client::pull(std::size_t shard, pull_purpose purpose,
                            std::shared_ptr<const parameters::slice> slice,
                            values_handler on_values) {
  auto r = std::make_shared<request>();
  r->what = kind::pull;
  r->shard = shard;
  r->purpose = purpose;
  r->slice = std::move(slice);
  r->on_values = std::move(on_values);
  r->missing = r->slice->parts.size();
  for (std::uint32_t part = 0; part < r->missing; ++part)
    waiting(shard, kind::pull).push_back({r, part});
}

void parameter_client::push(std::size_t shard, const push_origin& origin,
                            std::shared_ptr<const parameters::slice> slice,
                            std::vector<part_body> bodies, pushed_handler on_pushed) {
  auto r = std::make_shared<request>();
  r->what = kind::push;
  r->shard = shard;
  r->origin = origin;
  r->slice = std::move(slice);
  r->bodies = std::move(bodies);
  r->on_pushed = std::move(on_pushed);
  r->missing = r->slice->parts.size();
  for (std::uint32_t part = 0; part < r->missing; ++part)
    waiting(shard, kind::push).push_back({r, part});
}

// --- sending ------------------------------------------------------------------------------------

std::size_t parameter_client::bytes_of(const item& i) const {
  const auto& part = i.content();
  return sizeof(float) * parameters::part_floats(part, layout_.floats_per_key()) +
         (part.dense ? 0 : sizeof(std::uint64_t) * part.elements.size());
}

std::vector<parameter_client::item> parameter_client::take(std::size_t shard, kind k) {
  auto& from = waiting(shard, k);
  auto& busy = on_way(shard, k);
  std::size_t count = 0;
  std::size_t bytes = 0;
  // A push that is summed is acknowledged as a whole when its step is applied, so all of it has to
  // be on its way; the shard keeps it until then anyway.
  const bool summed = k == kind::push && plan_.sums_steps();
  // Of two pushes a checkpoint may have the one and wait for it while it keeps the other waiting.
  const bool one_push = !plan_.config.checkpoint.folder.empty();
  // The answers to a pull are cut by the shard; a push is cut here.
  const auto shares = [&](const item& next, std::size_t size) {
    if (k == kind::pull) return next.of->purpose == from.front().of->purpose;
    if (one_push && next.of != from.front().of) return false;
    return size <= parameters::shared_part_bytes_max && count < parameters::shared_parts_max &&
           (count > 1 || bytes <= parameters::shared_part_bytes_max) &&
           bytes + size <= parameters::shared_bytes_max;
  };
  auto end = from.begin();
  for (; end != from.end(); ++end, ++count) {
    const auto size = bytes_of(*end);
    if (busy > 0 && busy + size > window_bytes && !summed) break;
    if (count > 0 && !shares(*end, size)) break;
    bytes += size;
    busy += size;
  }
  std::vector<item> items(std::move_iterator(from.begin()), std::move_iterator(end));
  from.erase(from.begin(), end);
  return items;
}

result<void> parameter_client::advance(env::time_point now) {
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    auto& queue = shards_[shard];
    if (queue.pause.count() > 0)
      queue.resume_at = now + std::exchange(queue.pause, std::chrono::milliseconds(0));
    if (now < queue.resume_at) continue;
    for (const auto k : {kind::pull, kind::push})
      for (auto items = take(shard, k); !items.empty(); items = take(shard, k)) {
        const auto sent =
            k == kind::pull ? send_pull(std::move(items), now) : send_push(std::move(items), now);
        if (!sent) return sent.failure();
        if (!*sent) break; // the queue to the shard is full
      }
  }
  return {};
}

result<bool> parameter_client::send_pull(std::vector<item> items, env::time_point now) {
  mesh::draft<schema::Pull> pull;
  pull->setJobId(plan_.job_id);
  pull->setRank(rank_);
  pull->setShard(static_cast<std::uint32_t>(items.front().of->shard));
  pull->setLayout(plan_.layout.number);
  pull->setClock(items.front().of->purpose.clock);
  pull->setForPush(items.front().of->purpose.for_push);
  pull->setOfSnapshot(items.front().of->purpose.of_snapshot);
  pull->setAddsOwn(items.front().of->purpose.adds_own);
  auto parts = pull->initParts(static_cast<unsigned>(items.size()));
  for (unsigned i = 0; i < items.size(); ++i) {
    write(parts[i], items[i]);
    parts[i].setNumber(items[i].part);
  }
  pull.body = join(items, [this](const item& i) { return keys_of(i); });
  return send(pull, std::move(items), now);
}

result<bool> parameter_client::send_push(std::vector<item> items, env::time_point now) {
  mesh::draft<schema::Push> push;
  push->setJobId(plan_.job_id);
  push->setRank(rank_);
  push->setShard(static_cast<std::uint32_t>(items.front().of->shard));
  push->setLayout(plan_.layout.number);
  auto parts = push->initParts(static_cast<unsigned>(items.size()));
  for (unsigned i = 0; i < items.size(); ++i) {
    const auto& r = *items[i].of;
    auto out = parts[i];
    write(out.initPart(), items[i]);
    out.setSequence(r.origin.sequence);
    out.setNumber(items[i].part);
    out.setCount(static_cast<std::uint32_t>(r.slice->parts.size()));
    out.setReadClock(r.origin.read_clock);
    out.setStep(r.origin.step);
    out.setFirstPiece(r.origin.first_piece);
    out.setPieces(r.origin.pieces);
    if (!r.origin.own_steps.empty()) out.setOwnSteps(r.origin.own_steps[items[i].part]);
  }
  const auto& first = items.front();
  if (items.size() == 1) {
    push.body = {first.of->bodies[first.part].owner, body_of(first)};
    push.priority = mesh::tensor_priority(first.part, first.of->slice->parts.size());
  } else {
    push.body = join(items, [this](const item& i) { return body_of(i); });
    push.priority = 1;
  }
  return send(push, std::move(items), now);
}

bool parameter_client::may_be_named(const parameters::part& p) const {
  // Under bsp a shard needs the keys themselves.
  return !p.dense && p.elements.size() >= named_keys_min && !plan_.sums_steps();
}

bool parameter_client::is_known(const item& i) const {
  const auto& part = i.content();
  if (!may_be_named(part)) return false;
  const auto& known = shards_[i.of->shard].known_keys;
  return std::ranges::find(known, part.keys) != known.end();
}

void parameter_client::note_known(const item& i) {
  if (!may_be_named(i.content())) return;
  auto& known = shards_[i.of->shard].known_keys;
  std::erase(known, i.content().keys);
  known.push_back(i.content().keys);
  if (known.size() > known_lists_max) known.pop_front();
}

void parameter_client::write(schema::Part::Builder out, const item& i) const {
  const auto& part = i.content();
  if (part.dense) return out.setBlock(part.block);
  auto keys = out.initKeys();
  keys.setCount(part.elements.size());
  keys.setSent(!is_known(i));
  if (may_be_named(part)) keys.setHash(part.keys.hash);
}

std::span<const std::byte> parameter_client::keys_of(const item& i) const {
  const auto& part = i.content();
  if (part.dense || is_known(i)) return {};
  return std::as_bytes(
      std::span(i.of->slice->keys).subspan(part.elements.first, part.elements.size()));
}

std::span<const std::byte> parameter_client::body_of(const item& i) const {
  const auto keys = is_known(i) ? i.content().elements.size() : 0;
  return std::span(i.of->bodies[i.part].bytes).subspan(keys * sizeof(std::uint64_t));
}

template <class T>
result<bool> parameter_client::send(const mesh::draft<T>& draft, std::vector<item> items,
                                    env::time_point now) {
  const auto& r = *items.front().of;
  for (auto& i : items)
    if (!i.since) i.since = now;
  const auto sent = router_.send(plan_.layout.primary(r.shard).where, self_, draft);
  // Without a link it waits for the link, or for a layout that names another server.
  if (!sent &&
      (sent.failure().code == errc::retry_later || sent.failure().code == errc::unreachable)) {
    put_back(std::move(items));
    return false;
  }
  if (!sent)
    return error{sent.failure().code, "cannot send " + describe(r) + ": " + sent.failure().text};
  traffic_.bytes_sent += sent->wire_bytes;
  const auto count = items.size();
  auto since = now;
  for (const auto& i : items)
    since = std::min(since, *i.since);
  on_way_.emplace(sent->message_id, message_parts{std::move(items), count, since});
  return true;
}

void parameter_client::put_back(std::vector<item> items) {
  for (auto i = items.rbegin(); i != items.rend(); ++i) {
    if (!i->of) continue; // answered
    on_way(i->of->shard, i->of->what) -= bytes_of(*i);
    waiting(i->of->shard, i->of->what).push_front(std::move(*i));
  }
}

// --- shards that are lost, or move --------------------------------------------------------------

void parameter_client::put_back_all(std::size_t shard) {
  // From the last to the first, so that they go out in their order again.
  for (auto sent = on_way_.end(); sent != on_way_.begin();) {
    --sent;
    auto& items = sent->second.items;
    const auto open = std::find_if(items.begin(), items.end(), [](const item& i) { return i.of; });
    if (open->of->shard != shard) continue;
    ++traffic_.resent;
    put_back(std::move(items));
    sent = on_way_.erase(sent);
  }
  shards_[shard].known_keys.clear();
}

void parameter_client::on_link_lost(const mesh::node_uuid& node) {
  for (std::size_t shard = 0; shard < shards_.size(); ++shard)
    if (plan_.layout.primary(shard).where.node == node) put_back_all(shard);
}

void parameter_client::on_layout(const job::shard_layout& before) {
  fenced_ = false;
  for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
    shards_[shard].resume_at = {};
    shards_[shard].pause = {};
    if (plan_.layout.primary(shard).where == before.primary(shard).where) continue;
    put_back_all(shard);
    if (!rules_.keeps(rule::pushes_kept)) forget_pushes(shard);
  }
}

void parameter_client::forget_pushes(std::size_t shard) {
  std::erase_if(waiting(shard, kind::push), [](const item& i) {
    if (i.since && --i.of->missing == 0) i.of->on_pushed(0);
    return i.since.has_value();
  });
}

// --- answers ------------------------------------------------------------------------------------

parameter_client::message_parts* parameter_client::find(const mesh::frame_header& answer, kind k) {
  const auto found = on_way_.find(answer.in_reply_to);
  if (found == on_way_.end()) return nullptr;
  const auto& items = found->second.items;
  const auto open = std::find_if(items.begin(), items.end(), [](const item& i) { return i.of; });
  if (open->of->what != k || plan_.layout.primary(open->of->shard).where.node != answer.from.uuid)
    return nullptr;
  return &found->second;
}

result<parameter_client::item>
parameter_client::take_answered(message_parts& of, std::uint32_t number, const char* answer) {
  if (number >= of.items.size() || !of.items[number].of)
    return error{errc::malformed_message, fmt::format("a {} is for part {} of {}, which is not "
                                                      "asked for (any more)",
                                                      answer, number, of.items.size())};
  auto taken = std::move(of.items[number]);
  of.items[number].of = nullptr;
  --of.missing;
  on_way(taken.of->shard, taken.of->what) -= bytes_of(taken);
  return taken;
}

void parameter_client::forget_if_answered(std::uint64_t message_id) {
  const auto found = on_way_.find(message_id);
  if (found != on_way_.end() && found->second.missing == 0) on_way_.erase(found);
}

std::optional<std::span<const float>>
parameter_client::values_at(const message<schema::Pulled>& pulled, std::uint64_t at,
                            std::size_t floats) {
  if (pull_format_ == parameters::transfer_format::float32) return pulled.array<float>(at, floats);
  const auto encoded = pulled.array<std::byte>(at, parameters::encoded_bytes(pull_format_, floats));
  decoded_.resize(floats);
  if (!encoded || !parameters::decode(pull_format_, *encoded, decoded_)) return std::nullopt;
  return decoded_;
}

result<void> parameter_client::on_pulled(const message<schema::Pulled>& pulled) {
  auto* asked = find(pulled.header(), kind::pull);
  if (!asked) return {};
  traffic_.bytes_received += pulled.frame()->wire_bytes();
  std::uint64_t at = 0;
  for (const auto number : (*pulled).getParts()) {
    auto answered = take_answered(*asked, number, "Pulled");
    if (!answered) return answered.failure();
    auto& r = *answered->of;
    const auto& part = answered->content();
    const auto floats = parameters::part_floats(part, layout_.floats_per_key());
    const auto values = values_at(pulled, at, floats);
    if (!values)
      return error{
          errc::malformed_message,
          fmt::format("the answer to {} has a body of {} bytes, which does not hold part {}",
                      describe(r), pulled.body().size(), number)};
    at += padded(parameters::encoded_bytes(pull_format_, floats));
    note_known(*answered);
    --r.missing;
    r.on_values({part, answered->part, *values, (*pulled).getClock(), (*pulled).getOwnMissing()});
  }
  forget_if_answered(pulled.header().in_reply_to);
  return {};
}

result<void> parameter_client::on_pushed(const message<schema::Pushed>& pushed) {
  auto* asked = find(pushed.header(), kind::push);
  if (!asked) return {};
  traffic_.bytes_received += pushed.frame()->wire_bytes();
  const auto parts = (*pushed).getParts();
  const auto staleness = (*pushed).getStaleness();
  if (parts.size() != staleness.size())
    return error{errc::malformed_message,
                 fmt::format("a Pushed names {} parts and the staleness of {}", parts.size(),
                             staleness.size())};
  for (unsigned i = 0; i < parts.size(); ++i) {
    auto answered = take_answered(*asked, parts[i], "Pushed");
    if (!answered) return answered.failure();
    auto& r = *answered->of;
    r.bodies[answered->part] = {};
    note_known(*answered);
    r.staleness = std::max(r.staleness, staleness[i]);
    if (--r.missing == 0) r.on_pushed(r.staleness);
  }
  forget_if_answered(pushed.header().in_reply_to);
  return {};
}

result<void> parameter_client::on_refused(const message<schema::Refusal>& refusal) {
  const auto found = on_way_.find(refusal.header().in_reply_to);
  if (found == on_way_.end()) return {};
  const auto why = mesh::to_error(*refusal);
  auto items = std::move(found->second.items);
  on_way_.erase(found);
  const auto open = std::find_if(items.begin(), items.end(), [](const item& i) { return i.of; });
  auto& shard = shards_[open->of->shard];
  if (why.code == errc::unknown_keys) {
    shard.known_keys.clear();
  } else if (why.code == errc::retry_later) {
    shard.pause = pause_after_refusal;
  } else if (why.code == errc::stale_layout) { // one of us is about to learn of the other's
    shard.pause = defaults::worker::pause_when_stale;
    fenced_ = true;
    // The shard is there. How long a job may take to go on is the coordinator's business.
    for (auto& i : items)
      i.since.reset();
  } else {
    return error{why.code, describe(*open->of) + " refused: " + why.text};
  }
  ++traffic_.retries;
  put_back(std::move(items));
  return {};
}

// --- what is open -------------------------------------------------------------------------------

std::string parameter_client::describe(const request& r) const {
  const bool pulls = r.what == kind::pull;
  return fmt::format("the {} of step {} by shard {} on '{}'", pulls ? "pull" : "push",
                     pulls ? r.purpose.clock : r.origin.sequence, r.shard,
                     plan_.layout.primary(r.shard).name);
}

std::optional<parameter_client::oldest_request> parameter_client::oldest() const {
  std::optional<env::time_point> since;
  const request* oldest = nullptr;
  const auto look_at = [&](env::time_point at, const item& i) {
    if (since && at >= *since) return;
    since = at;
    oldest = i.of.get();
  };
  for (const auto& [id, sent] : on_way_)
    look_at(sent.since,
            *std::ranges::find_if(sent.items, [](const item& i) { return bool(i.of); }));
  // What was put back stands in front.
  for (const auto& shard : shards_)
    for (const auto& queue : shard.waiting)
      if (!queue.empty() && queue.front().since) look_at(*queue.front().since, queue.front());
  if (!oldest) return std::nullopt;
  return oldest_request{*since, describe(*oldest)};
}

} // namespace gradmesh::worker
