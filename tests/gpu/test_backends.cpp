#include "tests/gpu/test_backends.hpp"

#include "gpu/cpu_backend.hpp"
#include "tests/gpu/lane_backend.hpp"

#include <cstdlib>
#include <iostream>
#include <random>

namespace gradmesh::gpu {

std::vector<std::unique_ptr<backend>> test_backends() {
  std::vector<std::unique_ptr<backend>> all;
  all.push_back(make_cpu_backend(host_memory::shared));
  all.push_back(make_cpu_backend(host_memory::copied));
  all.push_back(make_lane_backend({}));
  if (auto cuda = make_cuda_backend({}).made) all.push_back(std::move(cuda));
  return all;
}

std::unique_ptr<backend> test_device(const cuda_options& options) {
  auto cuda = make_cuda_backend(options);
  if (!cuda.made) std::cout << "skipped: " << cuda.why.text << '\n';
  return std::move(cuda.made);
}

std::vector<std::uint64_t> test_seeds() {
  if (const char* one = std::getenv("GRADMESH_SEED")) return {std::strtoull(one, nullptr, 10)};
  std::vector<std::uint64_t> seeds{1, 2, 3, 4, 5};
  for (std::random_device fresh; seeds.size() < 30;)
    seeds.push_back(fresh());
  return seeds;
}

} // namespace gradmesh::gpu
