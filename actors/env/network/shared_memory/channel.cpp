#include "actors/env/network/shared_memory/channel.hpp"

#include "actors/env/descriptor.hpp"

#include <kj/debug.h>

#include <fcntl.h>

#include <utility>

namespace gradmesh::env::shm {
namespace {

/// Other connections of the loop get a turn after so much.
constexpr std::size_t records_per_poll = 256;
constexpr std::size_t bytes_per_poll = 1u << 20;

} // namespace

result<kj::Own<channel>> channel::open(kj::Own<kj::AsyncIoStream> socket,
                                       std::shared_ptr<memory> shared, std::size_t side,
                                       spinner& spin) {
  KJ_IF_MAYBE (fd, socket->getFd()) {
    kj::AutoCloseFd same(fcntl(*fd, F_DUPFD_CLOEXEC, 0));
    if (same.get() >= 0)
      return kj::heap<channel>(kj::mv(socket), kj::mv(same), std::move(shared), side, spin);
  }
  return {errc::io_failed, "cannot open a lane through shared memory: no descriptor of the socket "
                           "to the peer: " +
                               errno_text()};
}

channel::channel(kj::Own<kj::AsyncIoStream> socket, kj::AutoCloseFd same_socket,
                 std::shared_ptr<memory> shared, std::size_t side, spinner& spin)
    : memory_(std::move(shared)),
      bell_(std::make_shared<doorbell>(kj::mv(same_socket), memory_, 1 - side)),
      asleep_(memory_->asleep(side)), sender_(memory_->way(side), memory_->size(), *bell_),
      receiver_(memory_->way(1 - side), bell_), spinner_(spin), socket_(kj::mv(socket)),
      watching_(kj::evalLater([this] { return watch(); }).eagerlyEvaluate([this](kj::Exception&&) {
        gone_ = true; // a reset is an end like others
        wake();
      })) {
  spinner_.add(*this);
}

channel::~channel() {
  spinner_.remove(*this);
  // Frames that are still in use keep the socket open, but not the peer waiting.
  bell_->hang_up();
}

template <class Step>
bool channel::guarded(Step step) {
  bool any = true;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&] { any = step(); })) {
    const error why{errc::io_failed, e->getDescription().cStr()};
    if (reading_.get() != nullptr) std::exchange(reading_, nullptr)->reject(kj::cp(*e));
    end_writing(why);
  }
  return any;
}

kj::Promise<error> channel::read_all(frame_handler handler) {
  handler_ = std::move(handler);
  auto reading = kj::newPromiseAndFulfiller<error>();
  reading_ = kj::mv(reading.fulfiller);
  wake();
  return kj::mv(reading.promise);
}

kj::Promise<void> channel::write(std::vector<mesh::frame_ptr> frames) {
  auto writing = kj::newPromiseAndFulfiller<void>();
  writing_ = kj::mv(writing.fulfiller);
  sender_.start(std::move(frames));
  guarded([this] { return write_some(); });
  wake(); // for the rest, or for the answer
  return kj::mv(writing.promise);
}

void channel::shutdown_write() {
  sender_.close();
}

bool channel::poll() {
  const bool any = guarded([this] {
    const bool read = read_some();
    return write_some() || read;
  });
  if (any) stay_awake();
  return any;
}

bool channel::sleep() {
  if (sleeps_) return true;
  sleeps_ = true;
  std::uint32_t wants = 0;
  if (reading_.get() != nullptr) wants |= wants_records;
  if (writing_.get() != nullptr) wants |= wants_room;
  asleep_.store(wants);
  return !poll();
}

bool channel::read_some() {
  std::size_t records = 0;
  std::size_t bytes = 0;
  while (reading_.get() != nullptr && records < records_per_poll && bytes < bytes_per_poll) {
    // Before the look into the ring: what was written before the end is then seen.
    const bool last = gone_ || receiver_.closed();
    auto step = receiver_.next();
    if (!step) {
      end_reading(step.failure());
    } else if (step->bytes > 0) {
      ++records;
      bytes += step->bytes;
      if (!step->complete) continue;
      if (auto refused = handler_(std::move(step->complete))) end_reading(std::move(refused));
    } else if (last) {
      end_reading(receiver_.between_frames()
                      ? error{}
                      : error{errc::node_lost, "the peer closed the connection within a frame"});
    } else {
      break;
    }
  }
  receiver_.publish();
  return records > 0;
}

bool channel::write_some() {
  if (writing_.get() == nullptr) return false;
  if (gone_ && !fault_) fault_ = {errc::node_lost, "the peer is gone"};
  if (fault_) {
    end_writing(fault_);
    return true;
  }
  const auto made = sender_.advance();
  if (!made) {
    end_reading(made.failure());
    end_writing(made.failure());
    return true;
  }
  if (made->now == frame_sender::state::done) std::exchange(writing_, nullptr)->fulfill();
  return made->any;
}

kj::Promise<void> channel::watch() {
  return socket_->tryRead(wake_ups_.data(), 1, wake_ups_.size())
      .then([this](std::size_t got) -> kj::Promise<void> {
        gone_ = got == 0;
        wake();
        if (gone_) return kj::READY_NOW;
        return watch();
      });
}

void channel::wake() {
  stay_awake();
  spinner_.wake();
}

void channel::stay_awake() {
  // Nobody need wake us before the next `sleep`.
  if (std::exchange(sleeps_, false)) asleep_.store(0);
}

void channel::end_reading(error why) {
  if (reading_.get() != nullptr) std::exchange(reading_, nullptr)->fulfill(std::move(why));
}

void channel::end_writing(error why) {
  fault_ = why;
  if (writing_.get() == nullptr) return;
  std::exchange(writing_, nullptr)
      ->reject(KJ_EXCEPTION(DISCONNECTED, "cannot write to shared memory", why.text));
}

} // namespace gradmesh::env::shm
