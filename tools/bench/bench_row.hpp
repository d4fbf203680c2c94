#pragma once

/// What a benchmark found, one row for each kind of operation and size, and how rows are shown. All
/// benchmarks of the program share these, so that their figures can be laid side by side.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradmesh::tools::bench {

/// Something simpler that moves bytes as well, measured in turn with the benchmark in the same run.
struct reference {
  std::string name; // "raw_tcp": fields and headings begin with it
  std::optional<double> goodput_gb_per_s;
  std::optional<double> rtt_us;
};

/// Medians over the runs. What a benchmark does not measure is empty. GB are 10^9 bytes.
struct bench_row {
  std::string bench; // "link"
  std::string lane;  // "tcp", "tls", "shm"
  std::optional<unsigned> servers;
  std::optional<unsigned> workers;
  std::uint64_t size_bytes = 0; // of one message's payload
  std::string op;
  std::optional<double> goodput_gb_per_s; // payload only
  std::optional<double> messages_per_s;
  std::optional<double> keys_per_s;
  std::optional<double> p50_us;
  std::optional<double> p99_us;
  /// Round trips on the control lane meanwhile.
  std::optional<double> control_p99_us;
  std::optional<double> cpu_cores;           // that all processes together kept busy
  std::optional<double> wire_bytes_per_byte; // that the links of all nodes sent, by payload
  unsigned runs = 0;
  double spread = 0; // (greatest - least) / median of the op's main figure over the runs
  /// Where one has a figure that the row has too, their ratio is shown: goodput to goodput, p50 to
  /// round-trip time.
  std::vector<reference> references;
};

std::optional<double> goodput_ratio(const bench_row& row, const reference& to);
/// 1.5: the row takes half as long again.
std::optional<double> rtt_ratio(const bench_row& row, const reference& to);

/// A text table without the columns that no row has anything in.
std::string to_table(const std::vector<bench_row>& rows);

/// An array with an object a row; every field in each, null where there is nothing.
std::string to_json(const std::vector<bench_row>& rows);

} // namespace gradmesh::tools::bench
