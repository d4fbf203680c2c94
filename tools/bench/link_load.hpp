#pragma once

/// The sending side of `gradmesh bench link`: a link to the receiver, and series of frames over it.
/// Frames are sent from the thread on which acknowledgements come, so that what is measured is the
/// link alone; `gradmesh bench push-pull` measures it with actors on both sides.

#include "tools/bench/link_end.hpp"

#include <chrono>
#include <future>

namespace gradmesh::tools::bench {

struct series_order {
  std::uint64_t bytes = 0; // of each body
  std::size_t window = 1;  // frames without an acknowledgement
  std::chrono::duration<double> time{0};
};

struct series_result {
  std::uint64_t messages = 0;
  double seconds = 0; // to the last acknowledgement
  double p50_us = 0;  // from sending a frame to its acknowledgement
  double p99_us = 0;
};

class link_load {
public:
  /// Errors: those of the network; `timed_out`; `incompatible_peer` when the lane is not of the
  /// kind that was asked for.
  static result<std::unique_ptr<link_load>> connect(const link_setup& setup,
                                                    const config::endpoint& to);
  ~link_load();

  /// Blocks until the series has ended. Errors: `node_lost`, `timed_out`, those of `network::send`.
  result<series_result> run(const series_order& order);

private:
  using clock = std::chrono::steady_clock;

  /// A series while it runs. Loop thread.
  struct series {
    series_order order;
    mesh::frame_body body;
    std::promise<result<series_result>> done;
    clock::time_point began;
    std::vector<clock::time_point> sent; // by message id, a ring of `window`
    std::uint64_t sent_count = 0;
    std::vector<double> latencies_us;
  };

  link_load() = default;
  result<void> start(const link_setup& setup, const config::endpoint& to);
  void begin(std::unique_ptr<series> s);
  void send_one();
  void on_acknowledged(const mesh::frame_ptr& f);
  void end(result<series_result> outcome);

  const mesh::frame push_ = push_frame();
  std::unique_ptr<env::network> network_;
  std::promise<result<void>> up_;
  bool settled_ = false; // `up_`
  std::unique_ptr<series> now_;
  std::uint64_t last_id_ = 0;
};

} // namespace gradmesh::tools::bench
