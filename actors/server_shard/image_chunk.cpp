#include "actors/server_shard/image_chunk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace gradmesh::server_shard {
namespace {

static_assert(std::endian::native == std::endian::little,
              "chunks are written as they lie in memory");

enum class chunk_kind : std::uint16_t {
  strategy = 1,
  snapshot = 2,
  block = 3,
  rows = 4,
  former_block = 5,
  former_rows = 6,
};

constexpr std::uint64_t first_word(chunk_kind kind) {
  constexpr std::uint64_t magic = 0x43494d47; // "GMIC"
  constexpr std::uint64_t version = 1;
  return magic | version << 32 | std::uint64_t{static_cast<std::uint16_t>(kind)} << 48;
}

// --- writing ------------------------------------------------------------------------------------

class chunk_writer {
public:
  explicit chunk_writer(chunk_kind kind) { add(first_word(kind)); }

  void add(std::uint64_t field) { words_.push_back(field); }
  template <class T>
  void add(std::span<const T> values) {
    const auto at = words_.size();
    words_.resize(at + padded(values.size_bytes()) / sizeof(std::uint64_t));
    if (!values.empty()) std::memcpy(words_.data() + at, values.data(), values.size_bytes());
  }
  mesh::frame_body done() {
    const auto words = std::make_shared<const std::vector<std::uint64_t>>(std::move(words_));
    return {words, std::as_bytes(std::span(*words))};
  }

private:
  std::vector<std::uint64_t> words_;
};

using image = std::vector<mesh::frame_body>;

void add_strategy(image& to, const parameters::parameter_store& store, const strategy_state& state,
                  bool with_ledger) {
  const piece_ledger none;
  const auto& ledger = with_ledger ? state.ledger : none;
  chunk_writer out(chunk_kind::strategy);
  out.add(state.clock);
  out.add(ledger.done().runs().size());
  out.add(ledger.open().size());
  for (const auto& [first, last] : ledger.done().runs()) {
    out.add(first);
    out.add(last);
  }
  for (const auto& [first, push] : ledger.open()) {
    out.add(first);
    out.add(push.last);
    out.add(push.taken.size());
    std::vector<std::uint64_t> bits((push.taken.size() + 63) / 64);
    for (std::size_t part = 0; part < push.taken.size(); ++part)
      if (push.taken[part]) bits[part / 64] |= std::uint64_t{1} << part % 64;
    out.add(std::span<const std::uint64_t>(bits));
  }
  to.push_back(out.done());
  for (std::size_t block = 0; block < state.snapshot.size(); ++block) {
    const auto& [values, mean] = state.snapshot[block];
    chunk_writer snapshot(chunk_kind::snapshot);
    snapshot.add(block);
    snapshot.add(store.dense_range().first + store.dense_block_range(block).first);
    snapshot.add(mean.size());
    snapshot.add(values.values);
    snapshot.add(std::span<const float>(mean));
    to.push_back(snapshot.done());
  }
}

void add_blocks(image& to, const parameters::parameter_store& store) {
  for (std::size_t block = 0; block < store.dense_blocks(); ++block)
    to.push_back(frozen_chunk(store, block).make());
}

void add_rows(image& to, const parameters::parameter_store& store) {
  const auto widths = store.stored_widths();
  const auto key_bytes =
      sizeof(std::uint64_t) + sizeof(float) * std::reduce(widths.begin(), widths.end());
  const auto run = std::max<std::size_t>(1, chunk_bytes / key_bytes);
  std::vector<std::vector<float>> rows;
  for (auto partition = store.partitions().first; partition < store.partitions().last;
       ++partition) {
    const auto keys = store.keys_of(static_cast<std::uint32_t>(partition));
    for (std::size_t first = 0; first < keys.size(); first += run) {
      const auto some = std::span(keys).subspan(first, std::min(run, keys.size() - first));
      if (!store.save_rows(some, rows)) continue; // they are the shard's own
      chunk_writer out(chunk_kind::rows);
      out.add(partition);
      out.add(some.size());
      out.add(widths.size());
      for (const auto width : widths)
        out.add(width);
      out.add(some);
      for (const auto& of_table : rows)
        out.add(std::span<const float>(of_table));
      to.push_back(out.done());
    }
  }
}

void add_previous(image& to, const previous_version& previous) {
  if (!previous.clock()) return;
  for (const auto& [block, values] : previous.blocks()) {
    chunk_writer out(chunk_kind::former_block);
    out.add(*previous.clock());
    out.add(block);
    out.add(values.values.size());
    out.add(values.values);
    to.push_back(out.done());
  }
  // Always: a step may have changed nothing.
  chunk_writer out(chunk_kind::former_rows);
  out.add(*previous.clock());
  out.add(previous.keys().size());
  out.add(previous.rows().size());
  out.add(std::span<const std::uint64_t>(previous.keys()));
  out.add(std::span<const float>(previous.rows()));
  to.push_back(out.done());
}

// --- reading ------------------------------------------------------------------------------------

/// Reads fields and arrays; after the end, zeros and nothing, and `is_whole` says so.
class chunk_reader {
public:
  explicit chunk_reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t field() {
    const auto one = array<std::uint64_t>(1);
    return one.empty() ? 0 : one[0];
  }
  template <class T>
  std::span<const T> array(std::uint64_t count) {
    const auto left = bytes_.size() - at_;
    if (!fits_ || count > left / sizeof(T) || padded(count * sizeof(T)) > left) {
      fits_ = false;
      return {};
    }
    const auto* first = reinterpret_cast<const T*>(bytes_.data() + at_);
    at_ += padded(count * sizeof(T));
    return {first, static_cast<std::size_t>(count)};
  }
  /// Everything that was asked for was there.
  bool fits() const { return fits_; }
  bool is_whole() const { return fits_ && at_ == bytes_.size(); }
  std::size_t words_left() const { return (bytes_.size() - at_) / sizeof(std::uint64_t); }

private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool fits_ = true;
};

error malformed(std::span<const std::byte> bytes, const char* what) {
  return {errc::malformed_message,
          fmt::format("a chunk of {} bytes of a shard's image {}", bytes.size(), what)};
}

bool load_strategy(chunk_reader& in, strategy_state& state) {
  state.clock = in.field();
  const auto runs = in.field();
  const auto opens = in.field();
  if (runs > in.words_left() || opens > in.words_left()) return false;
  job::piece_set done;
  for (std::uint64_t i = 0; i < runs && in.fits(); ++i) {
    const auto run = in.array<std::uint64_t>(2);
    if (run.empty() || run[0] >= run[1] || done.touches({run[0], run[1]})) return false;
    done.add({run[0], run[1]});
  }
  std::map<std::uint64_t, piece_ledger::open_push> open;
  for (std::uint64_t i = 0; i < opens; ++i) {
    const auto head = in.array<std::uint64_t>(3);
    if (head.empty() || head[0] >= head[1] || head[2] < 2 || head[2] / 64 > in.words_left())
      return false;
    const auto bits = in.array<std::uint64_t>((head[2] + 63) / 64);
    if (bits.empty()) return false;
    piece_ledger::open_push push{head[1], std::vector<bool>(head[2]), 0};
    for (std::size_t part = 0; part < push.taken.size(); ++part) {
      push.taken[part] = (bits[part / 64] >> part % 64 & 1) != 0;
      push.missing += push.taken[part] ? 0U : 1U;
    }
    if (push.missing == 0 || push.missing == push.taken.size()) return false;
    open.emplace(head[0], std::move(push));
  }
  state.ledger = piece_ledger(std::move(done), std::move(open));
  return in.is_whole();
}

result<void> load_rows(chunk_reader& in, parameters::parameter_store& store,
                       std::span<const std::byte> bytes) {
  (void)in.field(); // the partition: for who takes chunks apart again
  const auto count = in.field();
  const auto widths = in.array<std::uint64_t>(in.field());
  const auto keys = in.array<std::uint64_t>(count);
  std::vector<std::span<const float>> rows;
  for (const auto width : widths) {
    if (width > bytes.size() || keys.size() > bytes.size() / std::max<std::uint64_t>(1, width))
      return malformed(bytes, "is too short for its rows");
    rows.push_back(in.array<float>(keys.size() * width));
  }
  if (!in.is_whole()) return malformed(bytes, "does not have the length that it says");
  return store.restore_rows(keys, rows);
}

struct block_chunk {
  std::uint64_t number = 0;
  std::uint64_t first = 0;
  std::uint64_t steps = 0;
  std::span<const float> values;
  std::span<const float> rule_state;
};

block_chunk read_block(chunk_reader& in) {
  block_chunk read{.number = in.field(),
                   .first = in.field(),
                   .steps = in.field(),
                   .values = {},
                   .rule_state = {}};
  const auto values = in.field();
  const auto rule_state = in.field();
  read.values = in.array<float>(values);
  read.rule_state = in.array<float>(rule_state);
  return read;
}

result<void> load_block(chunk_reader& in, parameters::parameter_store& store,
                        std::span<const std::byte> bytes) {
  const auto is = read_block(in);
  if (!in.is_whole()) return malformed(bytes, "does not have the length that it says");
  if (is.number >= store.dense_blocks() ||
      is.first != store.dense_range().first + store.dense_block_range(is.number).first)
    return malformed(bytes, "has a block that this shard does not have");
  return store.restore_dense(is.number, is.steps, is.values, is.rule_state);
}

parameters::shared_floats kept(std::span<const float> values) {
  const auto copy = std::make_shared<const std::vector<float>>(values.begin(), values.end());
  return {copy, *copy};
}

bool load_snapshot(chunk_reader& in, const parameters::parameter_store& store,
                   strategy_state& state) {
  const auto block = in.field();
  (void)in.field(); // where it begins: for shards that are cut otherwise
  const auto count = in.field();
  const auto values = in.array<float>(count);
  const auto mean = in.array<float>(count);
  if (!in.is_whole() || block >= store.dense_blocks() ||
      (count > 0 && count != store.dense_block_range(block).size()))
    return false;
  state.snapshot.resize(store.dense_blocks());
  state.snapshot[block] = {kept(values), {mean.begin(), mean.end()}};
  return true;
}

// --- of a cut -----------------------------------------------------------------------------------

result<void> restore_block(chunk_reader& in, parameters::parameter_store& store,
                           std::span<const std::byte> bytes) {
  const auto is = read_block(in); // its number is of who saved it
  if (!in.is_whole()) return malformed(bytes, "does not have the length that it says");
  return store.restore_dense_run(is.first, is.steps, is.values, is.rule_state);
}

bool restore_snapshot(chunk_reader& in, const parameters::parameter_store& store,
                      strategy_state& state) {
  (void)in.field();
  const auto first = in.field();
  const auto count = in.field();
  const auto values = in.array<float>(count);
  const auto mean = in.array<float>(count);
  if (!in.is_whole() || first > store.map().dense_size() ||
      count > store.map().dense_size() - first)
    return false;
  if (count == 0) return true; // none has begun
  state.snapshot.resize(store.dense_blocks());
  for (std::size_t block = 0; block < state.snapshot.size(); ++block) {
    const auto range = store.dense_block_range(block);
    const auto begin = store.dense_range().first + range.first;
    const auto from = std::max(first, begin);
    const auto to = std::min(first + count, begin + range.size());
    if (from >= to) continue;
    auto& own = state.snapshot[block];
    std::vector<float> whole(own.values.values.begin(), own.values.values.end());
    whole.resize(range.size());
    own.mean.resize(range.size());
    const auto at = static_cast<std::ptrdiff_t>(from - begin);
    std::ranges::copy(values.subspan(from - first, to - from), whole.begin() + at);
    std::ranges::copy(mean.subspan(from - first, to - from), own.mean.begin() + at);
    own.values = kept(whole);
  }
  return true;
}

void set_clock(previous_version& previous, std::uint64_t clock) {
  if (previous.clock() != clock) previous.begin(clock);
}

bool load_former_block(chunk_reader& in, const parameters::parameter_store& store,
                       strategy_state& state) {
  const auto clock = in.field();
  const auto block = in.field();
  const auto values = in.array<float>(in.field());
  if (!in.is_whole() || block >= store.dense_blocks() ||
      values.size() != store.dense_block_range(block).size())
    return false;
  set_clock(state.previous, clock);
  state.previous.keep(static_cast<std::uint32_t>(block), kept(values));
  return true;
}

bool load_former_rows(chunk_reader& in, const parameters::parameter_store& store,
                      strategy_state& state) {
  const auto clock = in.field();
  const auto keys = in.field();
  const auto floats = in.field();
  const auto of_keys = in.array<std::uint64_t>(keys);
  const auto of_rows = in.array<float>(floats);
  if (!in.is_whole() || of_rows.size() != store.row_floats(of_keys.size()) ||
      !std::ranges::is_sorted(of_keys))
    return false;
  set_clock(state.previous, clock);
  state.previous.keep({of_keys.begin(), of_keys.end()}, {of_rows.begin(), of_rows.end()});
  return true;
}

} // namespace

std::vector<mesh::frame_body> make_image(const parameters::parameter_store& store,
                                         const strategy_state& state, const rule_set& rules) {
  image chunks;
  add_strategy(chunks, store, state, rules.keeps(rule::ledger_in_image));
  add_blocks(chunks, store);
  add_rows(chunks, store);
  add_previous(chunks, state.previous);
  return chunks;
}

result<void> load_chunk(std::span<const std::byte> bytes, parameters::parameter_store& store,
                        strategy_state& state) {
  chunk_reader in(bytes);
  const auto head = in.field();
  const auto taken = [&](bool fits) -> result<void> {
    if (fits) return {};
    return malformed(bytes, "does not hold what it says");
  };
  if (head == first_word(chunk_kind::strategy)) return taken(load_strategy(in, state));
  if (head == first_word(chunk_kind::snapshot)) return taken(load_snapshot(in, store, state));
  if (head == first_word(chunk_kind::block)) return load_block(in, store, bytes);
  if (head == first_word(chunk_kind::rows)) return load_rows(in, store, bytes);
  if (head == first_word(chunk_kind::former_block))
    return taken(load_former_block(in, store, state));
  if (head == first_word(chunk_kind::former_rows)) return taken(load_former_rows(in, store, state));
  return malformed(bytes, "is of no kind and version that this program knows");
}

frozen_chunk::frozen_chunk(const parameters::parameter_store& store, std::size_t block)
    : values_(store.dense_block(block)), rule_state_(store.dense_state(block)) {
  fields_ = {block, store.dense_range().first + store.dense_block_range(block).first,
             store.dense_steps(block), values_.values.size(), rule_state_.size()};
}

mesh::frame_body frozen_chunk::make() const {
  if (made_.owner || fields_.empty()) return made_;
  chunk_writer out(chunk_kind::block);
  for (const auto field : fields_)
    out.add(field);
  out.add(values_.values);
  out.add(std::span<const float>(rule_state_));
  return out.done();
}

std::vector<frozen_chunk> freeze_cut_image(const parameters::parameter_store& store,
                                           strategy_state state) {
  state.ledger = {};
  state.previous.forget();
  image made;
  add_strategy(made, store, state, true);
  add_rows(made, store);
  std::vector<frozen_chunk> chunks;
  for (auto& chunk : made)
    chunks.emplace_back(std::move(chunk));
  for (std::size_t block = 0; block < store.dense_blocks(); ++block)
    chunks.emplace_back(store, block);
  return chunks;
}

result<chunk_scope> scope_of(std::span<const std::byte> bytes) {
  chunk_reader in(bytes);
  const auto head = in.field();
  chunk_scope scope{static_cast<std::uint32_t>(head >> 48), {}, {}};
  if (head == first_word(chunk_kind::rows)) {
    const auto partition = in.field();
    if (partition >= parameters::partitions_max) return malformed(bytes, "is of no partition");
    scope.partition = static_cast<std::uint32_t>(partition);
  } else if (head == first_word(chunk_kind::block) || head == first_word(chunk_kind::snapshot)) {
    (void)in.field();
    scope.dense.first = in.field();
    if (head == first_word(chunk_kind::block)) (void)in.field();
    const auto values = in.field();
    if (values > bytes.size() / sizeof(float)) return malformed(bytes, "is too short");
    scope.dense.last = scope.dense.first + values;
  } else if (head != first_word(chunk_kind::strategy)) {
    return malformed(bytes, "is of no kind and version that a checkpoint of this program has");
  }
  if (!in.fits()) return malformed(bytes, "is too short");
  return scope;
}

result<void> restore_chunk(std::span<const std::byte> bytes, parameters::parameter_store& store,
                           strategy_state& state) {
  chunk_reader in(bytes);
  const auto head = in.field();
  if (head == first_word(chunk_kind::snapshot)) {
    if (restore_snapshot(in, store, state)) return {};
    return malformed(bytes, "does not hold what it says");
  }
  if (head == first_word(chunk_kind::block)) return restore_block(in, store, bytes);
  if (head == first_word(chunk_kind::rows)) return load_rows(in, store, bytes);
  return malformed(bytes, "is of no kind and version that a checkpoint of this program has");
}

} // namespace gradmesh::server_shard
