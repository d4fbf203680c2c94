#pragma once

/// The connections that have not finished the handshake, oldest first. Their number is bounded, and
/// a newcomer takes the place of the oldest: a flood of silent strangers then costs each of them
/// its connection, and a node, which needs a few milliseconds, its turn only under a flood that is
/// faster. Lives on the loop thread.

#include <kj/function.h>

#include <list>
#include <memory>

namespace gradmesh::env {

class half_open {
public:
  /// One such connection; its end frees the place.
  class place {
  public:
    explicit place(half_open& all) : all_(all) {}
    ~place() {
      if (listed_) all_.places_.erase(at_);
    }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    /// What to do, from now on, when the place is given to another: end the connection, but not
    /// from within the call.
    void on_eviction(kj::Function<void()> evict) { evict_ = kj::mv(evict); }

  private:
    friend class half_open;
    half_open& all_;
    std::list<place*>::iterator at_;
    bool listed_ = false;
    kj::Function<void()> evict_ = [] {};
  };

  explicit half_open(std::size_t max) : max_(max) {}

  std::unique_ptr<place> add() {
    if (places_.size() >= max_ && !places_.empty()) {
      auto& oldest = *places_.front();
      oldest.listed_ = false;
      places_.pop_front();
      oldest.evict_();
    }
    auto added = std::make_unique<place>(*this);
    added->at_ = places_.insert(places_.end(), added.get());
    added->listed_ = true;
    return added;
  }

private:
  const std::size_t max_;
  std::list<place*> places_;
};

} // namespace gradmesh::env
