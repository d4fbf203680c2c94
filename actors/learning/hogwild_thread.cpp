#include "actors/learning/hogwild_thread.hpp"

#include "gpu/softmax_row.hpp"

#include <algorithm>

namespace gradmesh::learning {
namespace {

constexpr std::size_t floats_per_line = 16;

float load(const float& from) {
  // atomic_ref of a const object comes with C++26.
  return std::atomic_ref<float>(const_cast<float&>(from)).load(std::memory_order_relaxed);
}

void add(float& to, float change) {
  const std::atomic_ref<float> place(to);
  place.store(place.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

/// Asks for a line to be written to. The compiler's own prefetch asks for reading only, and the
/// line would have to be asked for twice.
void fetch_for_write(const float* at) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*at));
#else
  __builtin_prefetch(at, 1);
#endif
}

/// Where the floats of a row are, if no row is hot.
struct shared_rows {
  float* weights;
  std::size_t classes;

  float* operator()(std::uint32_t row) const { return weights + row * classes; }
};

/// The same where some are, of which a thread has its own.
struct shared_and_own_rows {
  shared_rows shared;
  const std::uint8_t* places;
  float* own;

  float* operator()(std::uint32_t row) const {
    return places[row] == 0 ? shared(row) : own + places[row] * shared.classes;
  }
};

/// z[c] = bias[c] + the sum of what the entries add, for Count classes from c on, whose sums are
/// kept in registers meanwhile.
template <std::size_t Count, class RowOf>
std::size_t add_entries(const hogwild_thread::example& x, const RowOf& row_of, std::size_t c,
                        const float* bias, float* z) {
  float sums[Count];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < Count; ++j)
    sums[j] = bias[c + j];
  for (std::size_t entry = 0; entry < x.entries; ++entry) {
    const auto value = x.values[entry];
    if (value == 0) continue; // of a dense example
    const float* const row = row_of(x.rows[entry]) + c;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < Count; ++j)
      sums[j] += value * load(row[j]);
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < Count; ++j)
    z[c + j] = sums[j];
  return c + Count;
}

} // namespace

hogwild_thread::example hogwild_thread::example_at(const hogwild_pass& pass, std::size_t i) {
  if (pass.offsets.empty())
    return {pass.rows, pass.values + i * pass.dense_entries, pass.dense_entries};
  const std::size_t first = pass.offsets[i] - pass.first_entry;
  return {pass.rows + first, pass.values + first, pass.offsets[i + 1] - pass.offsets[i]};
}

void hogwild_thread::begin() {
  metrics_ = {};
  has_read_ = false;
}

void hogwild_thread::work(const hogwild_pass& pass, std::size_t first, std::size_t last,
                          std::size_t seen) {
  if (!has_read_) read(pass);
  const shared_rows shared{pass.weights, pass.classes};
  if (pass.hot_places)
    go_through(pass, shared_and_own_rows{shared, pass.hot_places, own_.data()}, first, last, seen);
  else
    go_through(pass, shared, first, last, seen);
}

void hogwild_thread::read(const hogwild_pass& pass) {
  logits_.resize(pass.classes);
  own_.assign((1 + pass.hot_rows.size()) * pass.classes, 0);
  read_.assign(own_.size(), 0);
  exchange(pass); // gains nothing, and reads
  has_read_ = true;
}

void hogwild_thread::exchange(const hogwild_pass& pass) {
  const auto exchange_row = [&](std::size_t place, float* shared) {
    for (std::size_t c = 0; c < pass.classes; ++c) {
      auto& own = own_[place * pass.classes + c];
      auto& read = read_[place * pass.classes + c];
      if (own != read) add(shared[c], own - read);
      own = read = load(shared[c]);
    }
  };
  exchange_row(0, pass.bias);
  for (std::size_t hot = 0; hot < pass.hot_rows.size(); ++hot)
    exchange_row(1 + hot, pass.weights + pass.hot_rows[hot] * pass.classes);
}

template <class RowOf>
void hogwild_thread::go_through(const hogwild_pass& pass, const RowOf& row_of, std::size_t first,
                                std::size_t last, std::size_t seen) {
  auto until_exchange = pass.group;
  for (auto i = first; i < last; ++i) {
    const bool exchanges = --until_exchange == 0 || i + 1 == last;
    if (exchanges) fetch_for_write(pass.bias);
    const auto next = i + examples_ahead;
    descend(pass, row_of, i, next < seen ? example_at(pass, next) : example{});
    if (!exchanges) continue;
    exchange(pass);
    until_exchange = pass.group;
  }
}

template <class RowOf>
void hogwild_thread::descend(const hogwild_pass& pass, const RowOf& row_of, std::size_t i,
                             const example& ahead) {
  const auto x = example_at(pass, i);
  const auto classes = pass.classes;
  float* const z = logits_.data();
  std::size_t c = 0;
  while (c + 8 <= classes)
    c = add_entries<8>(x, row_of, c, own_.data(), z);
  if (c + 4 <= classes) c = add_entries<4>(x, row_of, c, own_.data(), z);
  if (c + 2 <= classes) c = add_entries<2>(x, row_of, c, own_.data(), z);
  if (c < classes) add_entries<1>(x, row_of, c, own_.data(), z);
  gpu::softmax_row(pass.labels[i], pass.step, z, classes, metrics_);

  for (c = 0; c < classes; ++c)
    own_[c] -= z[c];
  // Inlined in both loops: a call costs as much as what is done.
  const auto ask_for = [&](std::size_t entry) __attribute__((always_inline)) {
    const auto* const row = row_of(ahead.rows[entry]); // an own row is asked for from nobody
    fetch_for_write(row);
    for (std::size_t beyond = floats_per_line; beyond < classes; beyond += floats_per_line)
      fetch_for_write(row + beyond);
  };
  const auto change = [&](std::size_t entry) __attribute__((always_inline)) {
    const auto value = x.values[entry];
    if (value == 0) return;
    auto* const row = row_of(x.rows[entry]);
    for (std::size_t at = 0; at < classes; ++at)
      add(row[at], -value * z[at]);
  };
  // Rows that are asked for one by one, between the additions, do not wait for each other.
  const auto both = std::min(x.entries, ahead.entries);
  for (std::size_t entry = 0; entry < both; ++entry) {
    ask_for(entry);
    change(entry);
  }
  for (auto entry = both; entry < ahead.entries; ++entry)
    ask_for(entry);
  for (auto entry = both; entry < x.entries; ++entry)
    change(entry);
}

} // namespace gradmesh::learning
