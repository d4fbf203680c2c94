#include "actors/learning/hogwild_thread.hpp"

#include "gpu/softmax_row.hpp"

#include <algorithm>

namespace gradmesh::learning {
namespace {

/// Examples that a thread takes at a time.
constexpr std::size_t claim = 64;
/// How far ahead rows are asked for: far enough for a line to come from the other core.
constexpr std::size_t examples_ahead = 2;
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

/// Classes whose sums are kept in registers while an example's rows are gone through.
constexpr std::size_t block = 8;

/// z[c] = bias[c] + the sum of the terms, for Count classes from c on.
template <std::size_t Count>
void add_terms(const std::vector<hogwild_thread::term>& terms, std::size_t c, const float* bias,
               float* z) {
  float sums[Count];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < Count; ++j)
    sums[j] = bias[c + j];
  for (const auto& term : terms) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < Count; ++j)
      sums[j] += term.value * load(term.row[c + j]);
  }
#pragma GCC unroll 8
  for (std::size_t j = 0; j < Count; ++j)
    z[c + j] = sums[j];
}

} // namespace

hogwild_thread::example hogwild_thread::example_at(const hogwild_pass& pass, std::size_t i) {
  if (pass.offsets.empty())
    return {pass.rows, pass.values + i * pass.dense_entries, pass.dense_entries};
  const std::size_t first = pass.offsets[i] - pass.first_entry;
  return {pass.rows + first, pass.values + first, pass.offsets[i + 1] - pass.offsets[i]};
}

void hogwild_thread::fetch_ahead(const hogwild_pass& pass, std::size_t i) {
  const auto x = example_at(pass, i);
  for (std::size_t e = 0; e < x.entries; ++e) {
    if (pass.hot_places && pass.hot_places[x.rows[e]] != 0) continue;
    const auto* row = pass.weights + x.rows[e] * pass.classes;
    for (std::size_t c = 0; c < pass.classes; c += floats_per_line)
      fetch_for_write(row + c);
  }
}

gpu::batch_metrics hogwild_thread::work(const hogwild_pass& pass, std::atomic<std::size_t>& next) {
  metrics_ = {};
  resize(pass);
  const auto examples = pass.labels.size();
  std::size_t until_exchange = pass.group;
  for (;;) {
    const auto first = next.fetch_add(claim, std::memory_order_relaxed);
    if (first >= examples) break;
    const auto last = std::min(examples, first + claim);
    for (auto i = first; i < last; ++i) {
      if (i + examples_ahead < last) fetch_ahead(pass, i + examples_ahead);
      if (until_exchange == 1) fetch_for_write(pass.bias);
      descend(pass, i);
      if (--until_exchange > 0) continue;
      exchange(pass);
      until_exchange = pass.group;
    }
  }
  exchange(pass);
  return metrics_;
}

void hogwild_thread::resize(const hogwild_pass& pass) {
  logits_.resize(pass.classes);
  own_.assign((1 + pass.hot_rows.size()) * pass.classes, 0);
  read_.assign(own_.size(), 0);
  exchange(pass); // gains nothing, and reads
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

void hogwild_thread::descend(const hogwild_pass& pass, std::size_t i) {
  const auto x = example_at(pass, i);
  const auto classes = pass.classes;
  terms_.clear();
  for (std::size_t e = 0; e < x.entries; ++e) {
    if (x.values[e] == 0) continue; // of a dense example
    const auto place = pass.hot_places ? pass.hot_places[x.rows[e]] : 0;
    terms_.push_back(
        {place == 0 ? pass.weights + x.rows[e] * classes : own_.data() + place * classes,
         x.values[e]});
  }
  float* const z = logits_.data();
  std::size_t c = 0;
  for (; c + block <= classes; c += block)
    add_terms<block>(terms_, c, own_.data(), z);
  for (; c < classes; ++c)
    add_terms<1>(terms_, c, own_.data(), z);
  gpu::softmax_row(pass.labels[i], pass.step, z, classes, metrics_);

  for (c = 0; c < classes; ++c)
    own_[c] -= z[c];
  for (const auto& [row, value] : terms_)
    for (c = 0; c < classes; ++c)
      add(row[c], -value * z[c]);
}

} // namespace gradmesh::learning
