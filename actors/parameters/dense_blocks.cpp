#include "actors/parameters/dense_blocks.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <utility>

namespace gradmesh::parameters {

namespace {

/// Full blocks share a huge page.
constexpr std::size_t slab_buffers = (std::size_t{2} << 20) / (dense_block_floats * sizeof(float));
static_assert(slab_buffers >= 1);

std::size_t state_floats_of(std::span<const dense_segment> segments) {
  std::size_t floats = 0;
  for (const auto& segment : segments)
    floats += segment.range.size() * segment.rule->state_floats_per_parameter();
  return floats;
}

element_range common(element_range a, element_range b) {
  const auto first = std::max(a.first, b.first);
  return {first, std::max(first, std::min(a.last, b.last))};
}

} // namespace

struct dense_blocks::buffer {
  /// Part of a slab, or of zeroed_memory of its own.
  buffer(std::shared_ptr<zeroed_memory> in, float* at)
      : owner(std::move(in)), values(at), memory(at) {}
  explicit buffer(const shared_floats& adopted)
      : owner(adopted.owner), values(adopted.values.data()), memory(nullptr) {}

  bool is_adopted() const { return memory == nullptr; }

  const std::shared_ptr<const void> owner;
  const float* const values;
  float* const memory; // the values, where they may be written
  std::atomic<std::size_t> holds = 0;
};

/// What the owner of `shared_floats` points to. A count of our own and not `use_count`, which
/// orders nothing.
struct dense_blocks::hold {
  explicit hold(std::shared_ptr<buffer> held) : of(std::move(held)) {
    of->holds.fetch_add(1, std::memory_order_relaxed);
  }
  hold(const hold&) = delete;
  hold& operator=(const hold&) = delete;
  ~hold() { of->holds.fetch_sub(1, std::memory_order_release); }

  const std::shared_ptr<buffer> of;
};

dense_blocks::dense_blocks(element_range part, std::span<const dense_segment> segments)
    : position_(part.first), size_(part.size()),
      blocks_((size_ + dense_block_floats - 1) / dense_block_floats),
      state_(state_floats_of(segments) * sizeof(float)) {
  for (auto& block : blocks_)
    block.values = make_buffer();
  cut(segments);
}

dense_blocks::dense_blocks(std::size_t size, const optimizer& rule)
    : dense_blocks({0, size}, std::array{dense_segment{{0, size}, &rule}}) {}

void dense_blocks::cut(std::span<const dense_segment> segments) {
  auto* state = state_.as<float>();
  for (const auto& segment : segments) {
    auto first = segment.range.first - position_;
    const auto last = segment.range.last - position_;
    assert(last <= size_);
    while (first < last) {
      const auto block = first / dense_block_floats;
      const auto size = std::min(range(block).last, last) - first;
      const auto floats = size * segment.rule->state_floats_per_parameter();
      blocks_[block].pieces.push_back(
          {first - range(block).first, size, segment.rule, {state, floats}});
      state += floats;
      first += size;
    }
  }
}

element_range dense_blocks::range(std::size_t block) const {
  return {block * dense_block_floats, std::min((block + 1) * dense_block_floats, size_)};
}

std::span<const float> dense_blocks::values(std::size_t block) const {
  return {blocks_[block].values->values, range(block).size()};
}

std::span<float> dense_blocks::initial_values(std::size_t block) {
  assert(!is_held(*blocks_[block].values));
  return {blocks_[block].values->memory, range(block).size()};
}

void dense_blocks::copy(std::size_t first, std::span<float> out) const {
  while (!out.empty()) {
    const auto from = values(first / dense_block_floats).subspan(first % dense_block_floats);
    const auto count = std::min(from.size(), out.size());
    std::copy_n(from.begin(), count, out.begin());
    out = out.subspan(count);
    first += count;
  }
}

shared_floats dense_blocks::share(std::size_t block) const {
  return {std::make_shared<const hold>(blocks_[block].values), values(block)};
}

void dense_blocks::update(std::size_t block, std::span<const float> gradient, float learning_rate) {
  auto& updated = blocks_[block];
  const auto before = values(block);
  assert(gradient.size() == before.size());
  // The copy and the update are one pass.
  auto to = is_held(*updated.values) ? take_spare() : updated.values;
  const std::span<float> after(to->memory, before.size());
  update_moment at{.learning_rate = learning_rate, .step = ++updated.steps};
  for (const auto& piece : updated.pieces) {
    at.position = position_ + range(block).first + piece.first;
    piece.rule->update(before.subspan(piece.first, piece.size),
                       after.subspan(piece.first, piece.size),
                       gradient.subspan(piece.first, piece.size), piece.state, at);
  }
  if (to != updated.values) keep_spare(std::exchange(updated.values, std::move(to)));
}

std::size_t dense_blocks::state_floats(std::size_t block) const {
  std::size_t floats = 0;
  for (const auto& piece : blocks_[block].pieces)
    floats += piece.state.size();
  return floats;
}

std::vector<float> dense_blocks::state(std::size_t block) const {
  std::vector<float> state;
  for (const auto& piece : blocks_[block].pieces)
    state.insert(state.end(), piece.state.begin(), piece.state.end());
  return state;
}

bool dense_blocks::restore(std::size_t block, std::uint64_t steps, std::span<const float> values,
                           std::span<const float> state) {
  auto& restored = blocks_[block];
  if (values.size() != range(block).size() || state.size() != state_floats(block)) return false;
  if (is_held(*restored.values)) keep_spare(std::exchange(restored.values, take_spare()));
  std::ranges::copy(values, restored.values->memory);
  restored.steps = steps;
  for (const auto& piece : restored.pieces) {
    std::ranges::copy(state.first(piece.state.size()), piece.state.begin());
    state = state.subspan(piece.state.size());
  }
  return true;
}

bool dense_blocks::adopt(std::size_t block, std::uint64_t steps, shared_floats values) {
  if (values.values.size() != range(block).size() || state_floats(block) != 0) return false;
  blocks_[block].values = std::make_shared<buffer>(values);
  blocks_[block].steps = steps;
  return true;
}

void dense_blocks::make_unheld(std::size_t block) {
  auto& own = blocks_[block].values;
  if (!is_held(*own)) return;
  auto fresh = take_spare();
  std::ranges::copy(values(block), fresh->memory);
  keep_spare(std::exchange(own, std::move(fresh)));
}

bool dense_blocks::restore_run(std::uint64_t first, std::uint64_t steps,
                               std::span<const float> values, std::span<const float> state,
                               std::span<const dense_segment> segments) {
  if (state.size() != state_floats_of(segments)) return false;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    const auto begin = position_ + range(block).first;
    const auto own = common({first, first + values.size()}, {begin, begin + range(block).size()});
    if (own.size() == 0) continue;
    make_unheld(block);
    std::ranges::copy(values.subspan(own.first - first, own.size()),
                      blocks_[block].values->memory + (own.first - begin));
    blocks_[block].steps = steps;
    restore_state(block, state, segments);
  }
  return true;
}

void dense_blocks::restore_state(std::size_t block, std::span<const float> state,
                                 std::span<const dense_segment> segments) {
  // Of a run of elements a rule's state lies kind by kind, here as there.
  for (const auto& segment : segments) {
    const auto kinds = segment.rule->state_floats_per_parameter();
    for (const auto& piece : blocks_[block].pieces) {
      const auto begin = position_ + range(block).first + piece.first;
      const auto own = common(segment.range, {begin, begin + piece.size});
      for (std::size_t kind = 0; own.size() > 0 && kind < kinds; ++kind)
        std::ranges::copy(
            state.subspan(kind * segment.range.size() + (own.first - segment.range.first),
                          own.size()),
            piece.state.subspan(kind * piece.size + (own.first - begin)).begin());
    }
    state = state.subspan(kinds * segment.range.size());
  }
}

bool dense_blocks::is_held(const buffer& values) {
  if (values.is_adopted()) return true;
  // Only this thread begins a hold, so a count of 0 stays; then all reads of former holders come
  // before this load.
  return values.holds.load(std::memory_order_acquire) != 0;
}

std::shared_ptr<dense_blocks::buffer> dense_blocks::make_buffer() {
  if (size_ < dense_block_floats) {
    auto own = std::make_shared<zeroed_memory>(size_ * sizeof(float));
    return std::make_shared<buffer>(own, own->as<float>());
  }
  if (slab_left_ == 0) {
    slab_ = std::make_shared<zeroed_memory>(slab_buffers * dense_block_floats * sizeof(float));
    slab_left_ = slab_buffers;
  }
  const auto nth = slab_buffers - slab_left_--;
  return std::make_shared<buffer>(slab_, slab_->as<float>() + nth * dense_block_floats);
}

std::shared_ptr<dense_blocks::buffer> dense_blocks::take_spare() {
  const auto found = std::ranges::find_if(
      spares_, [](const std::shared_ptr<buffer>& spare) { return !is_held(*spare); });
  if (found == spares_.end()) return make_buffer();
  auto spare = std::move(*found);
  spares_.erase(found);
  return spare;
}

void dense_blocks::keep_spare(std::shared_ptr<buffer> former) {
  if (former->is_adopted()) return;
  // The oldest is forgotten: if it is still held, its last holder frees it.
  if (spares_.size() == std::max(spare_blocks_max, blocks_.size())) spares_.erase(spares_.begin());
  spares_.push_back(std::move(former));
}

} // namespace gradmesh::parameters
