#pragma once

/// Errors as values. Rooms that know nothing of actors (`learning`, `parameters`, `store`, `mesh`)
/// return `result<T>`; nothing below a process edge throws on purpose. The text of an error says
/// what failed, with which values, why, and what to do next.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace gradmesh {

/// Stable numbers: they travel in `Refusal` messages and decide the exit code of the command line.
enum class errc : std::uint16_t {
  none = 0,
  /// A value that the caller passed or a user wrote is outside what the function accepts.
  invalid_argument = 1,
  /// A file or folder does not exist or could not be opened.
  not_found = 2,
  /// Reading or writing failed below us (disk, socket).
  io_failed = 3,
  /// Bytes that do not follow their format: a frame, a message, a data file, a model file.
  malformed_message = 4,
  malformed_data = 5,
  malformed_model = 6,
  /// The peer speaks another protocol version or belongs to another cluster.
  incompatible_peer = 7,
  /// Nobody answers at the address.
  unreachable = 8,
  /// Somebody did not answer in time.
  timed_out = 9,
  /// A named limit (queue, frame size, count) was reached.
  limit_exceeded = 10,
  /// The peer understood and said no (wrong role, job already running, stale epoch).
  refused = 11,
  /// A node or actor that the job needs is gone.
  node_lost = 12,
  /// The configuration is invalid.
  invalid_config = 13,
  /// The user asked to stop.
  cancelled = 14,
  /// A queue or window is full now; the same request can be carried out later.
  retry_later = 15,
  /// A key list that was named by its hash is not known (any more).
  unknown_keys = 16,
  /// Sender and receiver act on different layouts of the job's shards.
  stale_layout = 17,
  /// A request belongs to a phase of the job that its receiver is not in (any more, or yet).
  stale_phase = 18,
};

/// The name of a code as it stands in logs and JSON, e.g. "malformed_message".
std::string_view to_string(errc code);

struct error {
  errc code = errc::none;
  std::string text;

  explicit operator bool() const { return code != errc::none; }
  bool operator==(const error&) const = default;
};

/// "malformed_message: frame of 12 bytes is shorter than its header (96 bytes)".
std::string to_string(const error& e);

/// Either a value or an error. Check with `if (r)` before `*r`.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  result(error e) : content_(std::in_place_index<1>, std::move(e)) {}
  result(errc code, std::string text) : result(error{code, std::move(text)}) {}

  explicit operator bool() const { return content_.index() == 0; }
  T& operator*() & { return std::get<0>(content_); }
  const T& operator*() const& { return std::get<0>(content_); }
  T&& operator*() && { return std::get<0>(std::move(content_)); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  const gradmesh::error& failure() const { return std::get<1>(content_); }

private:
  std::variant<T, gradmesh::error> content_;
};

/// Success or an error.
template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(error e) : error_(std::move(e)) {}
  result(errc code, std::string text) : error_{code, std::move(text)} {}

  explicit operator bool() const { return error_.code == errc::none; }
  const gradmesh::error& failure() const { return error_; }

private:
  gradmesh::error error_;
};

} // namespace gradmesh
