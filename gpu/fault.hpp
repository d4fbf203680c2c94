#pragma once

/// What went wrong in a compute backend. `gpu/` stands alone, so it has no other error type.

#include <cstdint>
#include <string>

namespace gradmesh::gpu {

enum class fault_kind : std::uint8_t {
  none = 0,
  /// Operands whose shapes do not fit: a defect of the caller.
  bad_shape = 1,
  out_of_memory = 2,
  /// A call of the device's library failed; a new backend on the device may well work.
  device_failed = 3,
  /// There is no such device, or its driver cannot be used.
  no_device = 4,
  /// The device or the process's state on it is lost ("sticky"): until the process is started
  /// again, most calls on that device will say the same.
  device_lost = 5,
};

struct fault {
  fault_kind kind = fault_kind::none;
  /// What failed, with which values, why.
  std::string text;

  explicit operator bool() const { return kind != fault_kind::none; }
};

} // namespace gradmesh::gpu
