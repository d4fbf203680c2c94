#include "actors/data_server/batch_schedule.hpp"

#include "actors/env/random.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gradmesh::data_server {

batch_schedule::batch_schedule(schedule_options options) : options_(options) {}

std::uint64_t batch_schedule::steps_per_epoch() const {
  return (options_.examples + options_.batch - 1) / options_.batch;
}

batch_choice batch_schedule::choose(std::uint64_t step, std::uint32_t first_piece,
                                    std::uint32_t last_piece) {
  batch_choice chosen;
  chosen.step = step;
  chosen.first_piece = first_piece;
  chosen.epoch = static_cast<std::uint32_t>(step / steps_per_epoch());
  const auto begin = step % steps_per_epoch() * options_.batch;
  const auto size = std::min<std::uint64_t>(options_.batch, options_.examples - begin);
  chosen.step_examples = static_cast<std::uint32_t>(size);
  const auto cut = [&](std::uint64_t piece) { return size * piece / options_.pieces; };

  const auto& order = order_of(chosen.epoch);
  const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
  chosen.examples.assign(first + static_cast<std::ptrdiff_t>(cut(first_piece)),
                         first + static_cast<std::ptrdiff_t>(cut(last_piece)));
  for (auto piece = first_piece; piece < last_piece; ++piece)
    chosen.piece_ends.push_back(static_cast<std::uint32_t>(cut(piece + 1) - cut(first_piece)));
  return chosen;
}

const std::vector<std::uint32_t>& batch_schedule::order_of(std::uint32_t epoch) {
  auto& slot = orders_[epoch % 2];
  if (slot.known && slot.epoch == epoch) return slot.order;
  slot.known = true;
  slot.epoch = epoch;
  slot.order.resize(options_.examples);
  std::iota(slot.order.begin(), slot.order.end(), 0U);
  if (options_.shuffle) {
    env::random_stream seeds(options_.seed);
    env::random_stream random(seeds.next() + epoch);
    for (std::uint64_t i = options_.examples - 1; i > 0; --i)
      std::swap(slot.order[i], slot.order[random.below(i + 1)]);
  }
  return slot.order;
}

} // namespace gradmesh::data_server
