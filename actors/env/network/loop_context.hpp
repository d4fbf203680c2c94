#pragma once

/// What the parts of the socket loop share. Everything but the counters belongs to the loop thread.

#include "actors/env/network/frame_reader.hpp"
#include "actors/env/network/frame_writer.hpp"
#include "actors/env/network/half_open.hpp"
#include "actors/env/network/handshake.hpp"
#include "actors/env/network/loop_tasks.hpp"
#include "actors/env/network/network.hpp"
#include "actors/env/network/shared_memory/channel.hpp"
#include "actors/env/network/tls/tls_context.hpp"

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/timer.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace gradmesh::env {

/// network_stats while they grow.
struct traffic {
  std::atomic<std::uint64_t> frames_sent{0};
  std::atomic<std::uint64_t> frames_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> frames_refused{0};
  std::atomic<std::uint64_t> queued_bytes{0};
  std::atomic<std::uint64_t> sends_refused{0};
  std::atomic<std::uint64_t> roles_refused{0};
};

struct loop_context {
  kj::AsyncIoProvider& io;
  kj::LowLevelAsyncIoProvider& descriptors;
  kj::UnixEventPort& port;
  kj::Timer& timer;
  const network_options& options;
  greeting own;
  network_events events;
  traffic& counters;
  loop_tasks& tasks;
  env::half_open strangers{options.half_open_max};
  /// Where nodes of this host can open their bulk lanes; empty: nowhere.
  std::string local_socket{};
  spinner spin{};

  void log(std::string line) const {
    if (options.log) options.log(std::move(line));
  }

  kj::Promise<void> after(std::chrono::milliseconds delay) {
    return timer.afterDelay(delay.count() * kj::MILLISECONDS);
  }

  /// The promise's outcome, or `late` when it takes longer; the promise is then dropped.
  template <class T>
  kj::Promise<result<T>> within(std::chrono::milliseconds delay, error late,
                                kj::Promise<result<T>> promise) {
    return promise.exclusiveJoin(
        after(delay).then([late = std::move(late)] { return result<T>(late); }));
  }
};

/// One connection: a lane, or going to be one.
struct connection final : frame_channel {
  /// `socket`: as frame_reader's; none over TLS, whose socket carries other bytes.
  explicit connection(kj::Own<kj::AsyncIoStream> s, kj::Maybe<int> socket = nullptr)
      : stream(kj::mv(s)), reader(*stream, socket), writer(*stream) {}

  /// Frames on the bare socket.
  static kj::Own<connection> without_tls(kj::Own<kj::AsyncIoStream> s) {
    const auto socket = s->getFd();
    return kj::heap<connection>(kj::mv(s), socket);
  }

  kj::Promise<error> read_all(frame_handler handler) override {
    KJ_IF_MAYBE (reading, first) {
      auto read = kj::mv(*reading);
      first = nullptr;
      return read.then([this, handler = std::move(handler)](
                           result<mesh::frame_ptr> f) mutable -> kj::Promise<error> {
        if (!f) return f.failure();
        if (!*f) return error{};
        if (auto refused = handler(*std::move(f))) return refused;
        return reader.read_all(std::move(handler));
      });
    }
    return reader.read_all(std::move(handler));
  }
  kj::Promise<void> write(std::vector<mesh::frame_ptr> frames) override {
    return writer.write(std::move(frames));
  }
  void shutdown_write() override { stream->shutdownWrite(); }

  kj::Own<kj::AsyncIoStream> stream;
  frame_reader reader;
  frame_writer writer;
  /// A read that began before the link was up; what it brings belongs to the link.
  kj::Maybe<kj::Promise<result<mesh::frame_ptr>>> first;
  std::optional<tls_peer> certified; // who the other end is, by its certificate
  kj::Own<shm::channel> shared;      // carries the frames instead, once the handshake is done
  std::unique_ptr<half_open::place> half_open_place;    // while it is one that was accepted
  kj::TimePoint deadline = kj::origin<kj::TimePoint>(); // of its handshake, the same
};

} // namespace gradmesh::env
