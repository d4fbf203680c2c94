#pragma once

/// Where a worker computes: auto, cpu or cuda:N.

#include "config/value_types.hpp"

#include <cstdint>
#include <string>

namespace gradmesh::config {

struct device_choice {
  enum class kind : std::uint8_t { automatic, cpu, cuda };

  kind what = kind::automatic;
  std::uint32_t number = 0; // N of cuda:N

  bool operator==(const device_choice&) const = default;
};

std::string to_string(const device_choice& device);

value_type<device_choice> device_name();

} // namespace gradmesh::config
