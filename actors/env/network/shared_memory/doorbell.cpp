#include "actors/env/network/shared_memory/doorbell.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace gradmesh::env::shm {

void doorbell::wake() {
  const auto wanted = asleep_.exchange(0);
  if (wanted == 0) return; // somebody else has just woken it
  const char byte = 0;
  // A full socket holds wake-ups enough, and a closed one has nobody to wake.
  if (::send(socket_, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
      errno != EPIPE)
    asleep_.fetch_or(wanted); // for want of memory: the next ring tries again
}

void doorbell::hang_up() {
  ::shutdown(socket_, SHUT_RDWR);
}

} // namespace gradmesh::env::shm
