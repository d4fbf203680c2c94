#pragma once

/// How far a replay is: a bar redrawn in place on a terminal, a line at each tenth otherwise.

#include "tools/terminal.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>

namespace gradmesh::tools {

class replay_view {
public:
  explicit replay_view(std::FILE* out);

  void show(std::uint64_t done, std::uint64_t total);

private:
  std::FILE* out_;
  const bool redraws_;
  redrawn_block block_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point drawn_{};
  int tenths_ = 0;
};

} // namespace gradmesh::tools
