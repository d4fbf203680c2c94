#pragma once

/// Where a node writes what happens. A function, so that an embedding application can pass its own;
/// thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gradmesh::env {

enum class severity : std::uint8_t { trace, debug, info, warning, error };

using log_sink = std::function<void(severity, std::string_view)>;

/// Lines like "2026-11-21 10:15:02.113 info server-0: ..." to standard error.
log_sink log_to_stderr(severity lowest, std::string node_name);

/// Drops everything.
log_sink no_log();

} // namespace gradmesh::env
