#pragma once

/// What a device does for a step of a multilayer perceptron: its rates for products and copies, and
/// the time of a step with and without copies beside computations, next to the same products alone,
/// which are plain cuBLAS calls. All in one run, taking turns, on random data.

#include "actors/env/device.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradmesh::tools::bench {

struct gpu_options {
  bool on_cpu = false; // for a look at the benchmark itself
  int device = 0;
  gpu::product_precision precision = gpu::product_precision::float32;
  std::uint32_t width = 8192; // of the layers, and of the inputs
  std::uint32_t layers = 4;   // hidden
  std::uint32_t batch = 8192;
  unsigned runs = 7;
  std::function<void(const std::string&)> progress;
};

/// The median over the runs. `rate` is of the unit by second; empty: no rate.
struct gpu_figure {
  std::string name;
  double seconds = 0;
  double spread = 0; // (greatest - least) / median
  double rate = 0;
  std::string unit;
};

struct gpu_report {
  std::string device;
  std::vector<gpu_figure> figures;
  /// A step's time by max(products, copies both ways), which hiding one behind the other brings
  /// towards 1; and the part of it that the products take alone.
  double step_to_bound = 0;
  double products_share = 0;
  double two_to_bound = 0;             // of steps that two of are on the device at once
  std::uint64_t allocations_later = 0; // on the device, after the first step
};

/// Errors: those of env::device_opener.
result<gpu_report> run_gpu_bench(const gpu_options& options);

} // namespace gradmesh::tools::bench
