#include "tests/support/ledger_shards.hpp"

#include "actors/job/partition_body.hpp"
#include "actors/mesh/receive.hpp"
#include "actors/parameters/slicer.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::testing {
namespace {

constexpr mesh::service_id shard_service{mesh::service_kind::server_shard, 0};

job::piece_run pieces_of(const job::job_plan& plan, schema::PushedPart::Reader part) {
  const auto first = part.getStep() * plan.pieces + part.getFirstPiece();
  return {first, first + part.getPieces()};
}

} // namespace

void ledger_shards::attach(node::node& server) {
  hosts_.push_back(std::make_unique<host>(host{server.context(), shard_service, {}, {}, {}}));
  server.context()->router->bind(
      shard_service, [this, h = hosts_.back().get()](const mesh::frame_ptr& f) {
        const auto went = mesh::guarded([&] { return on_frame(*h, f); });
        f->settle();
        if (!went)
          (void)h->context->router->reply_to(f->header, mesh::make_refusal(went.failure()));
        return result<void>();
      });
}

std::uint64_t ledger_shards::missing(std::uint64_t pieces) const {
  std::uint64_t most = books_.empty() ? pieces : 0;
  for (const auto& [shard, b] : books_)
    most = std::max(most, pieces - b.done.size());
  return most;
}

std::uint64_t ledger_shards::repeated() const {
  std::uint64_t all = 0;
  for (const auto& [shard, b] : books_)
    all += b.repeated;
  return all;
}

result<void> ledger_shards::on_frame(host& h, const mesh::frame_ptr& f) {
  const auto is = [&](auto traits) { return f->header.kind == decltype(traits)::kind; };
  if (is(mesh::message_traits<schema::JobPlan>{}))
    on_plan(h, *mesh::message<schema::JobPlan>::decode(f));
  else if (is(mesh::message_traits<schema::EndJob>{}))
    h.plan.reset();
  else if (is(mesh::message_traits<schema::Layout>{}))
    return on_layout(h, *mesh::message<schema::Layout>::decode(f));
  else if (is(mesh::message_traits<schema::Pull>{}))
    return on_pull(h, *mesh::message<schema::Pull>::decode(f));
  else if (is(mesh::message_traits<schema::Push>{}))
    return on_push(h, *mesh::message<schema::Push>::decode(f));
  else if (is(mesh::message_traits<schema::ExportPartition>{}))
    return on_export(h, *mesh::message<schema::ExportPartition>::decode(f));
  return {};
}

void ledger_shards::on_plan(host& h, const mesh::message<schema::JobPlan>& request) {
  auto plan = *job::decode(*request);
  if (!h.plan || plan.revision > h.plan->revision) {
    h.held.clear();
    h.waiting.clear();
    revision_ = plan.revision;
    first_step_ = plan.first_step;
    if (plan.layout.number > layout_.number || !h.plan) layout_ = plan.layout;
    h.plan = std::move(plan);
  }
  for (std::uint32_t shard = 0; shard < h.plan->layout.size(); ++shard)
    (void)books_[shard];
  name_synced(h, request.sender());
  mesh::draft<schema::PlanReady> ready;
  ready->setJobId(h.plan->job_id);
  (void)h.context->router->reply(request, ready);
}

void ledger_shards::name_synced(host& h, const mesh::address& coordinator) {
  const auto& layout = h.plan->layout;
  for (std::uint32_t shard = 0; sync_backups && shard < layout.size(); ++shard) {
    const auto& replicas = layout.shards[shard];
    if (!replicas.backup || replicas.synced ||
        replicas.primary.where != h.context->router->local(h.service))
      continue;
    mesh::draft<schema::BackupReport> synced;
    synced->setJobId(h.plan->job_id);
    synced->setShard(shard);
    synced->setPairing(replicas.pairing);
    synced->setSynced(true);
    (void)h.context->router->send(coordinator, h.service, synced);
  }
}

result<void> ledger_shards::on_layout(host& h, const mesh::message<schema::Layout>& request) {
  auto layout = job::decode(*request);
  if (!layout) return layout.failure();
  if (!h.plan) return error{errc::refused, "no job"};
  if (layout->number > h.plan->layout.number) {
    h.plan->layout = *layout;
    layout_ = *layout;
  }
  mesh::draft<schema::LayoutTaken> taken;
  taken->setJobId(h.plan->job_id);
  taken->setNumber(layout->number);
  std::vector<std::uint32_t> own;
  for (std::uint32_t shard = 0; shard < layout->size(); ++shard)
    if (layout->primary(shard).where == h.context->router->local(h.service)) own.push_back(shard);
  auto progress = taken->initProgress(static_cast<unsigned>(own.size()));
  for (unsigned i = 0; i < own.size(); ++i) {
    progress[i].setShard(own[i]);
    progress[i].setClock(books_[own[i]].clock);
    job::encode(books_[own[i]].done, progress[i].initDone());
  }
  (void)h.context->router->reply(request, taken);
  name_synced(h, request.sender());
  return {};
}

result<void> ledger_shards::check(host& h, std::uint32_t shard, std::uint64_t number) {
  if (!h.plan) return error{errc::refused, "no job"};
  if (number != h.plan->layout.number) {
    ++stale_;
    return error{errc::stale_layout, "layout " + std::to_string(number) + ", this host has " +
                                         std::to_string(h.plan->layout.number)};
  }
  if (shard >= h.plan->layout.size() ||
      h.plan->layout.primary(shard).where != h.context->router->local(h.service))
    return error{errc::refused, "not the primary of shard " + std::to_string(shard)};
  return {};
}

result<void> ledger_shards::on_pull(host& h, const mesh::message<schema::Pull>& request) {
  const auto in = *request;
  if (auto ok = check(h, in.getShard(), in.getLayout()); !ok) return ok;
  auto& book = books_[in.getShard()];
  if (h.plan->sums_steps() && in.getForPush() > 0 && in.getClock() > book.clock) {
    h.waiting[in.getShard()].push_back(request);
    return {};
  }
  if (h.plan->sums_steps() && in.getForPush() > 0 && in.getClock() + 1 < book.clock) ++book.too_old;
  answer(h, request);
  return {};
}

void ledger_shards::answer(host& h, const mesh::message<schema::Pull>& request) {
  const auto& plan = *h.plan;
  const auto in = *request;
  const parameters::slicer slicer(plan.tables, *job::make_partition_map(plan));
  const auto widths = slicer.layout().floats_per_key();
  const auto blocks = slicer.cut({})[in.getShard()];
  mesh::draft<schema::Pulled> pulled;
  pulled->setJobId(plan.job_id);
  pulled->setClock(books_[in.getShard()].clock);
  auto numbers = pulled->initParts(in.getParts().size());
  std::size_t bytes = 0;
  for (unsigned i = 0; i < numbers.size(); ++i) {
    numbers.set(i, i);
    const auto part = in.getParts()[i];
    std::size_t floats = part.isKeys() ? part.getKeys().getCount() * widths : 0;
    for (const auto& own : blocks.parts)
      if (part.isBlock() && own.dense && own.block == part.getBlock())
        floats = parameters::part_floats(own, widths);
    bytes += (floats * sizeof(float) + 7) / 8 * 8;
  }
  const auto body = mesh::allocate_body(bytes);
  std::ranges::fill(body.bytes, std::byte{0});
  pulled.body = body.share();
  (void)h.context->router->reply(request, pulled);
}

result<void> ledger_shards::on_push(host& h, const mesh::message<schema::Push>& request) {
  const auto in = *request;
  if (auto ok = check(h, in.getShard(), in.getLayout()); !ok) return ok;
  auto& book = books_[in.getShard()];
  bool open = false;
  for (const auto part : in.getParts()) {
    const auto run = pieces_of(*h.plan, part);
    // One part stands for its push: they are small here, and never come apart.
    if (book.done.contains(run)) {
      ++book.repeated;
    } else {
      if (book.done.touches(run)) ++book.overlaps;
      open = true;
    }
  }
  if (open && h.plan->sums_steps()) {
    h.held[in.getShard()].push_back(request);
    sum_steps(h, in.getShard());
    return {};
  }
  for (const auto part : in.getParts())
    book.done.add(pieces_of(*h.plan, part));
  if (open) ++book.clock;
  acknowledge(h, request);
  return {};
}

void ledger_shards::sum_steps(host& h, std::uint32_t shard) {
  auto& book = books_[shard];
  auto& held = h.held[shard];
  const auto pieces = h.plan->pieces;
  job::piece_set step;
  for (const auto& push : held)
    for (const auto part : (*push).getParts())
      if (part.getStep() == book.clock) step.add(pieces_of(*h.plan, part));
  const job::piece_run whole{book.clock * pieces, (book.clock + 1) * pieces};
  if (!step.contains(whole)) return;
  book.done.add(whole);
  ++book.clock;
  std::erase_if(held, [&](const auto& push) {
    bool applied = true;
    for (const auto part : (*push).getParts())
      applied = applied && part.getStep() < book.clock;
    if (applied) acknowledge(h, push);
    return applied;
  });
  for (const auto& pull : std::exchange(h.waiting[shard], {}))
    if (auto went = on_pull(h, pull); !went) // a layout has come meanwhile
      (void)h.context->router->reply(pull, mesh::make_refusal(went.failure()));
  sum_steps(h, shard);
}

void ledger_shards::acknowledge(host& h, const mesh::message<schema::Push>& request) {
  const auto count = (*request).getParts().size();
  mesh::draft<schema::Pushed> pushed;
  pushed->setJobId(h.plan->job_id);
  auto parts = pushed->initParts(count);
  pushed->initStaleness(count);
  for (unsigned i = 0; i < count; ++i)
    parts.set(i, i);
  (void)h.context->router->reply(request, pushed);
}

result<void> ledger_shards::on_export(host& h,
                                      const mesh::message<schema::ExportPartition>& request) {
  const auto map = job::make_partition_map(*h.plan);
  parameters::partition_content content;
  content.partition = (*request).getPartition();
  const auto dense = map->dense_of_partition(content.partition);
  content.dense_first = dense.first;
  content.dense.assign(dense.size(), 0);
  for (const auto& table : h.plan->tables)
    if (table.kind == learning::table_kind::sparse) content.sparse.emplace_back();
  auto encoded = job::encode_partition(h.plan->job_id, content);
  if (!encoded) return encoded.failure();
  (void)h.context->router->reply(request, *encoded);
  return {};
}

} // namespace gradmesh::testing
