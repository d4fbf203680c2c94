#pragma once

/// Reads a clock log (event.hpp), of which nothing is believed before its checksum fits.
///
/// Failure: `errc::malformed_data`, with file, block and byte, for a log that was cut off, edited,
/// or is none. After an error there is nothing more to read.

#include "actors/error.hpp"
#include "actors/record/event.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gradmesh::record {

/// A cursor in a payload; a number or text that is not there empties it for good.
class payload_cursor {
public:
  explicit payload_cursor(std::string_view payload = {}) : rest_(payload) {}

  std::uint64_t number();
  /// A number up to `limit`, which has to fit in T.
  template <class T>
  T number_to(std::uint64_t limit) {
    const auto value = number();
    if (value > limit) fail();
    return ok_ ? static_cast<T>(value) : T{};
  }
  std::string text();
  std::size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }
  void fail();

private:
  std::string_view rest_;
  bool ok_ = true;
};

class log_reader {
public:
  /// `file` is for error messages; `bytes` outlive the reader.
  log_reader(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {}

  /// The next event: a plan first, nothing after the end.
  result<std::optional<event>> next();

  /// Where the event of the last call stands: "FILE, block 3, byte 196640".
  std::string where() const;
  const std::string& file() const { return file_; }
  /// Bytes of the log that have been read.
  std::size_t read_bytes() const { return at_ - cursor_.left(); }

private:
  error broken(const std::string& what) const;
  result<void> open_block();
  result<void> check_order(const event& e);

  std::string file_;
  std::string_view bytes_;
  std::size_t at_ = 0; // end of the open block
  std::size_t event_at_ = 0;
  std::uint32_t blocks_ = 0;
  std::uint64_t last_checksum_ = 0;
  payload_cursor cursor_;
  bool has_plan_ = false;
  bool has_gap_ = false;
  bool ended_ = false;
};

} // namespace gradmesh::record
