#pragma once

/// Running another program for what it prints.
///
/// Failure: the program is missing, ends with another status than 0, prints more than it may or
/// falls silent; the error names the command and carries the end of what it said on stderr. No
/// process is left behind in any of these cases.

#include "actors/error.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradmesh::env {

/// Code that needs a program's output takes one of these, so that a test can answer instead.
using command_runner = std::function<result<std::string>(const std::vector<std::string>& arguments,
                                                         std::uint64_t bytes_max)>;

/// A program that prints nothing for so long is ended.
inline constexpr int command_silence_ms_max = 60'000;

/// Runs `arguments[0]`, found in PATH, with an empty stdin and returns its stdout. Blocks.
/// Errors: `not_found` (no such program), `io_failed` (status other than 0), `limit_exceeded` (more
/// than `bytes_max` bytes), `timed_out` (silent for `command_silence_ms_max`).
result<std::string> run_command(const std::vector<std::string>& arguments, std::uint64_t bytes_max);

} // namespace gradmesh::env
