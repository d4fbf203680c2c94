#include "actors/learning/initialize.hpp"

#include <algorithm>

namespace gradmesh::learning {

namespace {

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

std::uint64_t table_stream(std::uint64_t job_seed, std::uint64_t table_index) {
  return mix(mix(job_seed) + table_index);
}

/// (bits - 2^23) / 2^23 is exact in a float and below 1, so the product is below the limit.
float draw(const table_spec& table, std::uint64_t stream, std::uint64_t position) {
  if (table.init == initializer::zeros) return 0;
  const auto bits = static_cast<std::int32_t>(mix(stream + position) >> 40);
  return table.init_limit * (static_cast<float>(bits - (1 << 23)) / (1 << 23));
}

} // namespace

float initial_value(const table_spec& table, std::uint64_t job_seed, std::uint64_t table_index,
                    std::uint64_t position) {
  return draw(table, table_stream(job_seed, table_index), position);
}

void fill_initial_dense(const std::vector<table_spec>& tables, std::uint64_t job_seed,
                        std::uint64_t first, std::span<float> out) {
  std::size_t filled = 0;
  for (std::uint64_t t = 0; t < tables.size(); ++t) {
    const auto& table = tables[t];
    if (table.kind != table_kind::dense) continue;
    const auto stream = table_stream(job_seed, t);
    for (; first < table.width && filled < out.size(); ++first)
      out[filled++] = draw(table, stream, first);
    // Where the next table is reached, this is 0: its beginning.
    first -= std::min(first, table.width);
  }
  std::ranges::fill(out.subspan(filled), 0.0F);
}

void fill_initial_row(const table_spec& table, std::uint64_t job_seed, std::uint64_t table_index,
                      std::uint64_t key, std::span<float> out) {
  const auto stream = mix(table_stream(job_seed, table_index) + mix(key));
  for (std::uint64_t column = 0; column < out.size(); ++column)
    out[column] = draw(table, stream, column);
}

} // namespace gradmesh::learning
