#pragma once

/// IDX, the format of MNIST (http://yann.lecun.com/exdb/mnist): big-endian numbers, one file with
/// images (magic 0x00000803, count, rows, columns, then unsigned bytes) and one with their labels
/// (magic 0x00000801, count, then unsigned bytes).

#include "actors/error.hpp"
#include "actors/learning/data/file_rows.hpp"

#include <string>
#include <string_view>

namespace gradmesh::learning {

/// Dense examples of rows * columns features in [0, 255]. The result is named after the labels'
/// file. Errors: `malformed_data` with file and byte.
result<file_rows> read_idx(std::string_view images, const std::string& images_name,
                           std::string_view labels, const std::string& labels_name);

} // namespace gradmesh::learning
