#pragma once

/// Why a driver cannot be used, in words that need neither driver nor CUDA to be tested.

#include "gpu/fault.hpp"

#include <string>

namespace gradmesh::gpu {

/// 12040 is "12.4", in CUDA's way of counting.
inline std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// The driver is too old for the toolkit of this build; 0: there is none.
inline fault driver_fault(int driver, int toolkit) {
  if (driver == 0) return {fault_kind::no_device, "there is no NVIDIA driver on this machine"};
  return {fault_kind::no_device, "the NVIDIA driver is for CUDA " + cuda_version_text(driver) +
                                     " and older than this build's CUDA " +
                                     cuda_version_text(toolkit) +
                                     "; install a newer driver, or build with an older toolkit"};
}

} // namespace gradmesh::gpu
