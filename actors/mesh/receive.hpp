#pragma once

/// The one boundary between what a peer sent and what an actor does with it.

#include "actors/mesh/message.hpp"
#include "actors/mesh/router.hpp"

#include <memory>
#include <utility>

namespace gradmesh::mesh {

/// Runs a function that reads messages. A pointer in one that leads nowhere becomes an error.
template <class Function>
result<void> guarded(Function function) {
  try {
    return function();
  } catch (const kj::Exception& e) {
    return malformed("a message", e);
  }
}

/// A message handler from a function `result<void>(const message<T>&)`. An error that it returns is
/// sent back as a Refusal to who sent the message; the actor lives on.
template <class T, class Handler>
auto receive(std::shared_ptr<router> through, Handler handler) {
  return [through = std::move(through), handler = std::move(handler)](const message<T>& m) {
    const auto handled = guarded([&] { return result<void>(handler(m)); });
    m.frame()->settle();
    if constexpr (!std::is_same_v<T, schema::Refusal>)
      if (!handled) (void)through->reply(m, make_refusal(handled.failure()));
  };
}

} // namespace gradmesh::mesh
