#pragma once

/// Between frames and typed CAF actors: which messages an actor takes follows from its interface,
/// so there is no second list to keep.

#include "actors/mesh/message.hpp"
#include "actors/mesh/router.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>
#include <caf/typed_actor.hpp>

// Messages stay inside a node; see message.hpp. (A specialisation instead of CAF's macro because
// the macro takes no templates.)
namespace caf {
template <class T>
struct allowed_unsafe_message_type<gradmesh::mesh::message<T>> : std::true_type {};
} // namespace caf

namespace gradmesh::mesh {

namespace detail {

template <class Signature, class Input>
inline constexpr bool takes = false;
template <class Output, class Input>
inline constexpr bool takes<caf::typed_mpi<caf::detail::type_list<Input>, Output>, Input> = true;

template <class Signatures, class Input>
inline constexpr bool any_takes = false;
template <class... Signatures, class Input>
inline constexpr bool
    any_takes<caf::detail::type_list<Signatures...>, Input> = (takes<Signatures, Input> || ...);

template <class Message, class Handle>
result<void> pass_on(const frame_ptr& f, const Handle& to) {
  if constexpr (any_takes<typename Handle::signatures, message<Message>>) {
    auto decoded = message<Message>::decode(f);
    if (!decoded) return decoded.failure();
    caf::anon_send(to, std::move(*decoded));
    return {};
  } else {
    return error{errc::refused,
                 to_string(f->header.to_service) + " takes no " + message_traits<Message>::name};
  }
}

} // namespace detail

/// A deliverer for a typed actor; it does not keep a frame that the actor's interface lacks.
template <class Handle>
deliverer deliver_to(Handle to) {
  return [to](const frame_ptr& f) -> result<void> {
    switch (static_cast<schema::MessageKind>(f->header.kind)) {
#define GRADMESH_CASE(type, ordinal, on_lane)                                                      \
  case schema::MessageKind::ordinal:                                                               \
    return detail::pass_on<schema::type>(f, to);
      GRADMESH_MESSAGES(GRADMESH_CASE)
#undef GRADMESH_CASE
    default:
      return error{errc::malformed_message,
                   "unknown message kind " + std::to_string(f->header.kind)};
    }
  };
}

} // namespace gradmesh::mesh
