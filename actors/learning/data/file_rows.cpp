#include "actors/learning/data/file_rows.hpp"

namespace gradmesh::learning {
namespace {

constexpr std::uint64_t idx_label_offset = 8; // magic and count stand before the labels

std::string at_line(std::string_view file, std::uint64_t line) {
  return std::string(file) + ":" + std::to_string(line);
}

std::string at_byte(std::string_view file, std::uint64_t byte) {
  return std::string(file) + ": byte " + std::to_string(byte);
}

} // namespace

std::string label_position(const file_rows& rows, std::size_t row) {
  return rows.lines.empty() ? at_byte(rows.name, idx_label_offset + row)
                            : at_line(rows.name, rows.lines[row]);
}

error line_error(std::string_view file, std::uint64_t line, const std::string& what) {
  return {errc::malformed_data, at_line(file, line) + ": " + what};
}

error byte_error(std::string_view file, std::uint64_t byte, const std::string& what) {
  return {errc::malformed_data, at_byte(file, byte) + ": " + what};
}

error file_error(std::string_view file, const std::string& what) {
  return {errc::malformed_data, std::string(file) + ": " + what};
}

} // namespace gradmesh::learning
