#pragma once

/// A node for tests: a network, and a record of its events that a test can wait on.

#include "actors/env/network/memory_network.hpp"
#include "actors/env/network/socket_network.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>

namespace gradmesh::env::test {

inline constexpr std::chrono::seconds patience{30};
/// A kind that any node may send (`pull`).
inline constexpr std::uint16_t some_kind = 26;
inline const config::endpoint any_port{"127.0.0.1", 0};

/// A node's identity from one byte, so that tests can order them.
mesh::node_identity identity(std::uint8_t number, std::uint64_t incarnation = 1);
network_options options(std::uint8_t number, std::uint64_t incarnation = 1);

/// A frame with `metadata_words` words and `body_bytes` bytes that follow from the message id.
mesh::frame_ptr make_frame(const mesh::node_identity& from, mesh::lane lane,
                           std::uint64_t message_id, std::size_t metadata_words = 2,
                           std::size_t body_bytes = 0);
/// Whether content and lengths are those that make_frame gave the message id.
bool is_intact(const mesh::frame& f, std::size_t metadata_words, std::size_t body_bytes);

struct record {
  struct down {
    peer who;
    error why;
  };
  struct failed_connect {
    config::endpoint to;
    error why;
  };
  std::vector<mesh::frame_ptr> frames;
  std::vector<mesh::frame_ptr> refused;
  std::vector<peer> ups;
  std::vector<down> downs;
  std::vector<failed_connect> failures;
  std::vector<std::string> log;
};

class test_node {
public:
  using network_factory = std::function<std::unique_ptr<network>(network_options)>;

  test_node(const network_factory& make, network_options o);
  ~test_node();

  network* operator->() { return network_.get(); }
  const mesh::node_identity& self() const { return self_; }

  /// Called instead of recording frames; set it before the first frame can come.
  std::function<void(mesh::frame_ptr)> on_frame;

  config::endpoint listen();
  /// Waits until the record satisfies the condition; false when it does not in time.
  bool wait_for(const std::function<bool(const record&)>& condition);
  bool wait_for_up(std::size_t count = 1);
  bool wait_for_down(std::size_t count = 1);
  bool wait_for_frames(std::size_t count);
  bool wait_for_failure(std::size_t count = 1);
  record snapshot();

  void send(const test_node& to, mesh::lane lane, std::uint64_t message_id,
            std::size_t metadata_words = 2, std::size_t body_bytes = 0);

private:
  template <class Change>
  void change(Change c);

  const mesh::node_identity self_;
  std::mutex mutex_;
  std::condition_variable changed_;
  record record_;
  std::unique_ptr<network> network_;
};

/// Connects `dialer` to `listener` and waits until both know of it.
void join(test_node& dialer, test_node& listener);

} // namespace gradmesh::env::test
