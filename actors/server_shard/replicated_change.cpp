#include "actors/server_shard/replicated_change.hpp"

#include <algorithm>

namespace gradmesh::server_shard {
namespace {

change_draft make_draft(std::size_t parts) {
  change_draft draft;
  draft->initParts(static_cast<unsigned>(parts));
  draft.priority = replication_priority;
  return draft;
}

void set_part(schema::ReplicatedPart::Builder out, const requested_part& what, std::size_t keys) {
  auto part = out.initPart();
  if (what.dense) return part.setBlock(what.block);
  auto list = part.initKeys();
  list.setCount(keys);
  list.setSent(true);
}

void set_name(schema::ReplicatedPart::Builder out, const pushed_name& name) {
  out.setNumber(name.number);
  out.setCount(name.count);
  out.setStep(name.step);
  out.setFirstPiece(name.first_piece);
  out.setPieces(name.pieces);
}

/// Puts bodies of parts together.
class body_writer {
public:
  explicit body_writer(std::size_t bytes) : body_(mesh::allocate_body(bytes)) {}

  template <class T>
  void add(std::span<const T> values) {
    std::ranges::copy(values, body_.as<T>(at_, values.size()).begin());
    const auto end = at_ + values.size_bytes();
    at_ += padded(values.size_bytes());
    std::ranges::fill(body_.bytes.subspan(end, at_ - end), std::byte{0});
  }
  mesh::frame_body share() const { return body_.share(); }

private:
  mesh::writable_body body_;
  std::size_t at_ = 0;
};

} // namespace

pushed_name name_of(const pushed_part& part) {
  return {part.number, part.count, part.step, part.first_piece, part.pieces};
}

change_draft make_pushes(const mesh::message<schema::Push>& push, std::uint32_t rank,
                         std::span<const applied_part> parts, shard_parameters& parameters) {
  auto draft = make_draft(parts.size());
  draft->getChange().setPushes();
  auto out = draft->getParts();
  // Usually the push's own body is what the backup needs.
  bool as_it_came = parts.size() == (*push).getParts().size();
  std::size_t bytes = 0;
  for (unsigned i = 0; i < parts.size(); ++i) {
    const auto& part = *parts[i].part;
    const auto keys =
        part.what.dense ? std::span<const std::uint64_t>() : parameters.keys_of(rank, part.what);
    set_part(out[i], part.what, keys.size());
    set_name(out[i], name_of(part));
    out[i].setRate(parts[i].rate);
    as_it_came = as_it_came && !part.decoded.owner && (part.what.dense || part.what.has_keys);
    bytes += keys.size_bytes() + padded(part.values.size_bytes());
  }
  if (as_it_came) {
    draft.body = {push.frame(), push.body()};
    return draft;
  }
  body_writer body(bytes);
  for (const auto& applied : parts) {
    const auto& part = *applied.part;
    if (!part.what.dense) body.add(parameters.keys_of(rank, part.what));
    body.add(part.values);
  }
  draft.body = body.share();
  return draft;
}

change_draft make_block(std::uint32_t block, std::span<const pushed_name> pushes,
                        const parameters::parameter_store& store) {
  auto draft = make_draft(pushes.size());
  draft->getChange().setBlock(store.dense_steps(block));
  auto out = draft->getParts();
  for (unsigned i = 0; i < pushes.size(); ++i) {
    out[i].initPart().setBlock(block);
    set_name(out[i], pushes[i]);
  }
  auto values = store.dense_block(block);
  draft.body = {std::move(values.owner), std::as_bytes(values.values)};
  return draft;
}

change_draft make_sum(std::uint32_t block, mesh::frame_body sum) {
  auto draft = make_draft(1);
  draft->getParts()[0].initPart().setBlock(block);
  draft.body = std::move(sum);
  return draft;
}

change_draft make_sum(std::span<const std::uint64_t> keys, std::span<const float> rows) {
  auto draft = make_draft(1);
  set_part(draft->getParts()[0], {}, keys.size());
  body_writer body(keys.size_bytes() + padded(rows.size_bytes()));
  body.add(keys);
  body.add(rows);
  draft.body = body.share();
  return draft;
}

change_draft make_empty_sum() {
  return make_draft(0);
}

void set_step(change_draft& draft, const applied_step& step, bool is_last) {
  auto change = draft->getChange().initStep();
  change.setStep(step.step);
  auto ranks = change.initRanks(static_cast<unsigned>(step.ranks.size()));
  for (unsigned i = 0; i < ranks.size(); ++i)
    ranks.set(i, step.ranks[i]);
  draft->setMore(!is_last);
}

} // namespace gradmesh::server_shard
