#include "actors/worker/plan_cache.hpp"

#include "gpu/cpu_backend.hpp"
#include "tests/support/random_data.hpp"

#include <doctest/doctest.h>

using namespace gradmesh;

namespace {

struct cache_bench {
  cache_bench()
      : backend(gpu::make_cpu_backend()),
        model(*learning::make_model({}, {learning::layout::sparse, 300, 4}, *backend)),
        slicer(model->tables(),
               *parameters::partition_map::make(4, parameters::contiguous_owners(8, 2), 2)) {
    for (std::uint64_t s = 0; s < 20; ++s)
      sets.push_back(testing::random_sparse(s, 50, 300, 4, 8, false));
  }

  bool is_right(const worker::plan_cache::entry& e, const learning::example_view& examples) {
    const auto plan = model->plan(examples);
    const auto slices = slicer.cut(plan.keys);
    bool same =
        e.plan.keys == plan.keys && e.plan.rows == plan.rows && e.slices.size() == slices.size();
    for (std::size_t s = 0; same && s < slices.size(); ++s)
      same = e.slices[s].keys == slices[s].keys && e.slices[s].positions == slices[s].positions &&
             e.slices[s].parts.size() == slices[s].parts.size();
    return same;
  }

  std::unique_ptr<gpu::backend> backend;
  std::unique_ptr<learning::model> model;
  parameters::slicer slicer;
  std::vector<learning::dataset> sets;
};

} // namespace

TEST_CASE("an evaluation that is done again finds the plans of its batches") {
  cache_bench bench;
  worker::plan_cache cache(std::size_t{1} << 20);
  for (int pass = 0; pass < 3; ++pass)
    for (const auto& set : bench.sets)
      CHECK(bench.is_right(cache.find(set.view(), *bench.model, bench.slicer), set.view()));
  CHECK(cache.hits() == 2 * bench.sets.size());
  const auto whole = bench.sets[0].view();
  const auto part = whole.slice(0, 20);
  CHECK(bench.is_right(cache.find(part, *bench.model, bench.slicer), part));
  CHECK(cache.hits() == 2 * bench.sets.size());
}

TEST_CASE("plans keep to their bytes, and those used last stay") {
  cache_bench bench;
  worker::plan_cache cache(std::size_t{20} << 10);
  for (const auto& set : bench.sets) {
    CHECK(bench.is_right(cache.find(set.view(), *bench.model, bench.slicer), set.view()));
    CHECK(cache.bytes() <= std::size_t{20} << 10);
  }
  CHECK(cache.bytes() > std::size_t{10} << 10);
  const auto newest = bench.sets.back().view(), oldest = bench.sets.front().view();
  (void)cache.find(newest, *bench.model, bench.slicer);
  CHECK(cache.hits() == 1);
  CHECK(bench.is_right(cache.find(oldest, *bench.model, bench.slicer), oldest));
  CHECK(cache.hits() == 1);
}
