#include "actors/error.hpp"

namespace gradmesh {

std::string_view to_string(errc code) {
  switch (code) {
  case errc::none:
    return "none";
  case errc::invalid_argument:
    return "invalid_argument";
  case errc::not_found:
    return "not_found";
  case errc::io_failed:
    return "io_failed";
  case errc::malformed_message:
    return "malformed_message";
  case errc::malformed_data:
    return "malformed_data";
  case errc::malformed_model:
    return "malformed_model";
  case errc::incompatible_peer:
    return "incompatible_peer";
  case errc::unreachable:
    return "unreachable";
  case errc::timed_out:
    return "timed_out";
  case errc::limit_exceeded:
    return "limit_exceeded";
  case errc::refused:
    return "refused";
  case errc::node_lost:
    return "node_lost";
  case errc::invalid_config:
    return "invalid_config";
  case errc::cancelled:
    return "cancelled";
  case errc::retry_later:
    return "retry_later";
  case errc::unknown_keys:
    return "unknown_keys";
  case errc::stale_layout:
    return "stale_layout";
  case errc::stale_phase:
    return "stale_phase";
  }
  return "unknown_error";
}

std::string to_string(const error& e) {
  return std::string(to_string(e.code)) + ": " + e.text;
}

} // namespace gradmesh
