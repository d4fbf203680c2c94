#pragma once

/// LIBSVM text, one example a line: `label index:value index:value ...  # comment`.
///
/// Labels are integers ("+1" and "1.0" too). Indices begin with 1; if 0 occurs as an index in the
/// training or the test file, those of both begin with 0. Indices in any order are accepted and
/// sorted, an index that occurs twice in a line is an error. Empty lines and lines with nothing but
/// a comment are skipped.

#include "actors/env/disk.hpp"
#include "actors/error.hpp"
#include "actors/learning/data/file_rows.hpp"

#include <string>
#include <string_view>

namespace gradmesh::learning {

/// Errors: `malformed_data` with file and line, `limit_exceeded`.
result<file_rows> read_libsvm(std::string_view text, const std::string& name);

/// The text of a set, sparse or dense (without its zeros), with indices from 1 and values that read
/// back to the same bits. A label is its class name if all names are integers, else the number of
/// its class. LIBSVM does not say how wide the data is: declare `features` to read that back too.
std::string to_libsvm(const dataset& data, const std::vector<std::string>& class_names);

/// Writes `train.libsvm`, `test.libsvm` (if there is a test set) and `classes.txt` (the class
/// names, one a line, in class order) into a folder, which is made if it is missing.
result<void> write_libsvm(const split_dataset& data, const std::string& directory, env::disk& disk);

} // namespace gradmesh::learning
