#pragma once

/// What the actors of this room tell a coordinator, as one message.

#include "actors/checkpoint/checkpoint_reading.hpp"
#include "actors/checkpoint/checkpoint_writing.hpp"

#include <variant>

namespace gradmesh::checkpoint {

struct checkpoint_news {
  std::variant<checkpoint_event, reading_event> what;
};

} // namespace gradmesh::checkpoint
