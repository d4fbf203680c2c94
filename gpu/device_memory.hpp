#pragma once

/// Views of memory that belongs to a backend. They look like spans, but nobody except the backend
/// may dereference `data`: it may be the address of a device.

#include <cstddef>
#include <type_traits>

namespace gradmesh::gpu {

template <class T>
struct device_span {
  T* data = nullptr;
  std::size_t size = 0;

  /// `count` elements from `first`; the caller keeps them inside.
  device_span part(std::size_t first, std::size_t count) const {
    return {data ? data + first : nullptr, count};
  }

  operator device_span<const T>() const requires(!std::is_const_v<T>) { return {data, size}; }
};

/// Row-major, without gaps.
template <class T>
struct device_matrix {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  std::size_t size() const { return rows * columns; }
  device_span<T> elements() const { return {data, size()}; }

  operator device_matrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns};
  }
};

/// The first rows x columns elements of a span as a matrix.
template <class T>
device_matrix<T> as_matrix(device_span<T> span, std::size_t rows, std::size_t columns) {
  return {span.data, rows, columns};
}

} // namespace gradmesh::gpu
