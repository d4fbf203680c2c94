#include "gpu/backend.hpp"

#include <initializer_list>
#include <limits>
#include <utility>

namespace gradmesh::gpu {

namespace {

struct shape {
  std::size_t rows;
  std::size_t columns;
};

template <class T>
shape of(device_matrix<T> m) {
  return {m.rows, m.columns};
}

template <class T>
shape of(device_span<T> s) {
  return {1, s.size};
}

/// BLAS counts in int.
bool too_large(std::initializer_list<shape> operands) {
  constexpr std::size_t limit = std::numeric_limits<std::int32_t>::max();
  for (const auto& s : operands)
    if (s.rows > limit || s.columns > limit) return true;
  return false;
}

std::string mismatch(std::string_view operation, std::initializer_list<shape> operands) {
  std::string text(operation);
  text += ": operands of ";
  for (const auto& s : operands)
    text += std::to_string(s.rows) + " x " + std::to_string(s.columns) + ", ";
  return text + "which do not fit together or exceed 2^31 - 1 rows or columns; this is a defect of "
                "the model that called";
}

} // namespace

const fault& backend::wait() {
  if (!fault_) do_wait();
  return fault_;
}

void backend::fail(fault_kind kind, std::string text) {
  if (!fault_) fault_ = {kind, std::move(text)};
}

void backend::multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                       device_matrix<const float> b, transpose transpose_b, float beta,
                       device_matrix<float> c) {
  if (fault_) return;
  const shape left = transpose_a == transpose::yes ? shape{a.columns, a.rows} : of(a);
  const shape right = transpose_b == transpose::yes ? shape{b.columns, b.rows} : of(b);
  const bool fits = left.rows == c.rows && left.columns == right.rows && right.columns == c.columns;
  if (!fits || too_large({left, right}))
    return fail(fault_kind::bad_shape, mismatch("multiply", {left, right, of(c)}));
  if (c.size() > 0) do_multiply(alpha, a, transpose_a, b, transpose_b, beta, c);
}

void backend::multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                              device_matrix<float> out) {
  if (fault_) return;
  if (a.rows() != out.rows || w.columns != out.columns || a.columns.size != a.values.size)
    return fail(fault_kind::bad_shape,
                mismatch("multiply_sparse", {{a.rows(), a.columns.size}, of(w), of(out)}));
  if (out.size() > 0) do_multiply_sparse(a, w, out);
}

void backend::add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                    device_matrix<float> out) {
  if (fault_) return;
  if (a.rows() != d.rows || d.columns != out.columns || a.columns.size != a.values.size)
    return fail(fault_kind::bad_shape,
                mismatch("add_sparse_transposed", {{a.rows(), a.columns.size}, of(d), of(out)}));
  if (d.size() > 0) do_add_sparse_transposed(a, d, out);
}

void backend::add_bias(device_span<const float> bias, activation f, device_matrix<float> x) {
  if (fault_) return;
  if (bias.size != x.columns)
    return fail(fault_kind::bad_shape, mismatch("add_bias", {of(bias), of(x)}));
  if (x.size() > 0) do_add_bias(bias, f, x);
}

void backend::relu_backward(device_matrix<const float> activated, device_matrix<float> gradient) {
  if (fault_) return;
  if (activated.rows != gradient.rows || activated.columns != gradient.columns)
    return fail(fault_kind::bad_shape, mismatch("relu_backward", {of(activated), of(gradient)}));
  if (gradient.size() > 0) do_relu_backward(activated.elements(), gradient.elements());
}

void backend::softmax_cross_entropy(device_span<const std::int32_t> labels, float scale,
                                    device_matrix<float> z, device_span<batch_metrics> metrics) {
  if (fault_) return;
  if (labels.size != z.rows || z.columns == 0 || metrics.size != 1)
    return fail(fault_kind::bad_shape,
                mismatch("softmax_cross_entropy", {of(labels), of(z), of(metrics)}));
  do_softmax_cross_entropy(labels, scale, z, metrics.data);
}

void backend::sum_rows(device_matrix<const float> x, device_span<float> out) {
  if (fault_) return;
  if (x.columns != out.size)
    return fail(fault_kind::bad_shape, mismatch("sum_rows", {of(x), of(out)}));
  if (out.size > 0) do_sum_rows(x, out);
}

void backend::add_scaled(float alpha, device_span<const float> x, device_span<float> y) {
  if (fault_) return;
  if (x.size != y.size) return fail(fault_kind::bad_shape, mismatch("add_scaled", {of(x), of(y)}));
  if (y.size > 0) do_add_scaled(alpha, x, y);
}

void backend::scale(float alpha, device_span<float> x) {
  if (!fault_ && x.size > 0) do_scale(alpha, x);
}

void backend::fill(float value, device_span<float> x) {
  if (!fault_ && x.size > 0) do_fill(value, x);
}

void backend::copy_to_device(void* to, const void* host_from, std::size_t bytes) {
  if (!fault_ && bytes > 0) do_copy_to_device(to, host_from, bytes);
}

void backend::copy_to_host(void* host_to, const void* from, std::size_t bytes) {
  if (!fault_ && bytes > 0) do_copy_to_host(host_to, from, bytes);
}

} // namespace gradmesh::gpu
