#pragma once

/// A node that strangers and hostile members have a go at, and the proof that it has survived them.

#include "tests/unit/network/raw_peer.hpp"
#include "tests/unit/network/test_node.hpp"

#include <algorithm>
#include <random>

namespace gradmesh::env::test {

/// Who a raw peer says it is unless a test says otherwise.
inline const greeting stranger{identity(66), {}, "gradmesh", "stranger", {mesh::role::worker}, {}};

/// Dials until it is up, as nodes do: on a slow machine, or in a crowd, its time may be over before
/// its turn comes.
inline void connect_until_up(test_node& dialer, const config::endpoint& to) {
  for (std::size_t tries = 1; dialer.snapshot().ups.empty(); ++tries) {
    dialer->connect(to);
    REQUIRE(dialer.wait_for(
        [&](const record& r) { return !r.ups.empty() || r.failures.size() >= tries; }));
  }
}

struct listening {
  explicit listening(network_options o = options(1))
      : node(make_socket_network, std::move(o)), at(node.listen()) {}

  void check_still_serves() {
    const auto before = node.snapshot().ups.size();
    test_node friendly(make_socket_network, options(77));
    connect_until_up(friendly, at);
    CHECK(node.wait_for_up(before + 1));
  }

  /// Waits for a number of log lines with this text.
  bool wait_for_log(std::string_view text, std::ptrdiff_t lines = 1) {
    return node.wait_for([&](const record& r) {
      return std::count_if(r.log.begin(), r.log.end(), [&](const std::string& line) {
               return line.find(text) != std::string::npos;
             }) >= lines;
    });
  }

  test_node node;
  config::endpoint at;
};

inline mesh::frame with_header(const mesh::frame_ptr& f,
                               const std::function<void(mesh::frame_header&)>& change) {
  auto changed = *f;
  change(changed.header);
  return changed;
}

inline void fill_with_noise(std::span<std::byte> out, std::mt19937_64& random) {
  for (auto& b : out)
    b = static_cast<std::byte>(random());
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace gradmesh::env::test
