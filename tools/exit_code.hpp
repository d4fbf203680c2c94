#pragma once

/// What the `gradmesh` program tells the shell. Stable: scripts rely on them.

#include "actors/error.hpp"

namespace gradmesh::tools {

enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_invalid_config = 3,
  exit_unreachable = 4,
  exit_timed_out = 5,
  exit_not_found = 6,
  exit_refused = 7,
  exit_interrupted = 130,
};

inline exit_code exit_code_of(errc code) {
  switch (code) {
  case errc::none:
    return exit_ok;
  case errc::invalid_config:
    return exit_invalid_config;
  case errc::unreachable:
    return exit_unreachable;
  case errc::timed_out:
    return exit_timed_out;
  case errc::not_found:
    return exit_not_found;
  case errc::refused:
  case errc::incompatible_peer:
    return exit_refused;
  case errc::cancelled:
    return exit_interrupted;
  default:
    return exit_failed;
  }
}

} // namespace gradmesh::tools
