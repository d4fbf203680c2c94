#include "gpu/backend.hpp"

#include <cmath>
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

memory_access reads(const void* memory) {
  return {memory, touch::read};
}

memory_access writes(const void* memory) {
  return {memory, touch::write};
}

} // namespace

template <class Operation>
void backend::run(lane where, std::initializer_list<memory_access> touched,
                  const Operation& operation) {
  if (!order_) return operation();
  const auto waits = order_->enqueue(where, touched);
  for (std::size_t other = 0; other < lanes; ++other)
    if (waits[other] > 0) do_await(where, static_cast<lane>(other), waits[other]);
  if (!fault_) operation();
  if (!fault_) do_mark(where);
}

memory_access backend::host_access(const void* memory, touch how) const {
  // Memory of others is their business until `wait()`.
  return {order_ && order_->knows(memory) ? memory : nullptr, how};
}

bool backend::takes_detour(const void* host, std::size_t bytes) {
  const bool detour = order_ && !order_->knows(host) && !(pinned_ && pinned_->holds(host));
  if (detour) copies_.detour += bytes;
  return detour;
}

const fault& backend::wait() {
  if (!fault_) do_wait();
  return fault_;
}

bool backend::idle() {
  return fault_ || do_idle() || fault_;
}

const fault& backend::look() {
  if (!fault_) (void)do_idle();
  return fault_;
}

void backend::when_done(std::function<void()> call) {
  if (!fault_) do_when_done(std::move(call));
}

void backend::fail(fault_kind kind, std::string text) {
  fail(fault{kind, std::move(text)});
}

void backend::fail(fault why) {
  if (!fault_) fault_ = std::move(why);
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
  if (c.size() > 0)
    run(lane::compute, {reads(a.data), reads(b.data), writes(c.data)},
        [&] { do_multiply(alpha, a, transpose_a, b, transpose_b, beta, c); });
}

void backend::multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                              device_matrix<float> out) {
  if (fault_) return;
  if (a.rows() != out.rows || w.columns != out.columns || a.columns.size != a.values.size)
    return fail(fault_kind::bad_shape,
                mismatch("multiply_sparse", {{a.rows(), a.columns.size}, of(w), of(out)}));
  if (out.size() > 0)
    run(lane::compute,
        {reads(a.offsets.data), reads(a.columns.data), reads(a.values.data), reads(w.data),
         writes(out.data)},
        [&] { do_multiply_sparse(a, w, out); });
}

void backend::add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                    device_matrix<float> out) {
  if (fault_) return;
  if (a.rows() != d.rows || d.columns != out.columns || a.columns.size != a.values.size)
    return fail(fault_kind::bad_shape,
                mismatch("add_sparse_transposed", {{a.rows(), a.columns.size}, of(d), of(out)}));
  if (d.size() > 0)
    run(lane::compute,
        {reads(a.offsets.data), reads(a.columns.data), reads(a.values.data), reads(d.data),
         writes(out.data)},
        [&] { do_add_sparse_transposed(a, d, out); });
}

void backend::add_bias(device_span<const float> bias, activation f, device_matrix<float> x) {
  if (fault_) return;
  if (bias.size != x.columns)
    return fail(fault_kind::bad_shape, mismatch("add_bias", {of(bias), of(x)}));
  if (x.size() > 0)
    run(lane::compute, {reads(bias.data), writes(x.data)}, [&] { do_add_bias(bias, f, x); });
}

void backend::relu_backward(device_matrix<const float> activated, device_matrix<float> gradient) {
  if (fault_) return;
  if (activated.rows != gradient.rows || activated.columns != gradient.columns)
    return fail(fault_kind::bad_shape, mismatch("relu_backward", {of(activated), of(gradient)}));
  if (gradient.size() > 0)
    run(lane::compute, {reads(activated.data), writes(gradient.data)},
        [&] { do_relu_backward(activated.elements(), gradient.elements()); });
}

void backend::softmax_cross_entropy(device_span<const std::int32_t> labels, float scale,
                                    device_matrix<float> z, device_span<batch_metrics> metrics) {
  if (fault_) return;
  if (labels.size != z.rows || z.columns == 0 || metrics.size != 1)
    return fail(fault_kind::bad_shape,
                mismatch("softmax_cross_entropy", {of(labels), of(z), of(metrics)}));
  run(lane::compute, {reads(labels.data), writes(z.data), writes(metrics.data)},
      [&] { do_softmax_cross_entropy(labels, scale, z, metrics.data); });
}

void backend::sum_rows(device_matrix<const float> x, device_span<float> out) {
  if (fault_) return;
  if (x.columns != out.size)
    return fail(fault_kind::bad_shape, mismatch("sum_rows", {of(x), of(out)}));
  if (out.size > 0)
    run(lane::compute, {reads(x.data), writes(out.data)}, [&] { do_sum_rows(x, out); });
}

void backend::add_scaled(float alpha, device_span<const float> x, device_span<float> y) {
  if (fault_) return;
  if (x.size != y.size) return fail(fault_kind::bad_shape, mismatch("add_scaled", {of(x), of(y)}));
  if (y.size > 0)
    run(lane::compute, {reads(x.data), writes(y.data)}, [&] { do_add_scaled(alpha, x, y); });
}

void backend::scale(float alpha, device_span<float> x) {
  if (!fault_ && x.size > 0) run(lane::compute, {writes(x.data)}, [&] { do_scale(alpha, x); });
}

void backend::fill(float value, device_span<float> x) {
  if (!fault_ && x.size > 0) run(lane::compute, {writes(x.data)}, [&] { do_fill(value, x); });
}

void backend::gather_rows(device_matrix<const float> table, device_span<const std::uint32_t> rows,
                          device_matrix<float> out) {
  if (fault_) return;
  if (table.columns != out.columns || rows.size != out.rows || too_large({of(table), of(out)}))
    return fail(fault_kind::bad_shape, mismatch("gather_rows", {of(table), of(rows), of(out)}));
  if (out.size() > 0)
    run(lane::compute, {reads(table.data), reads(rows.data), writes(out.data)},
        [&] { do_gather_rows(table, rows, out); });
}

void backend::scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                           device_matrix<float> table) {
  if (fault_) return;
  if (x.columns != table.columns || rows.size != x.rows || too_large({of(x), of(table)}))
    return fail(fault_kind::bad_shape, mismatch("scatter_rows", {of(x), of(rows), of(table)}));
  if (x.size() > 0)
    run(lane::compute, {reads(x.data), reads(rows.data), writes(table.data)},
        [&] { do_scatter_rows(x, rows, table); });
}

void backend::update_momentum(float rate, float mu, device_span<const float> g,
                              device_span<float> w, device_span<float> v) {
  if (fault_) return;
  if (g.size != w.size || v.size != w.size)
    return fail(fault_kind::bad_shape, mismatch("update_momentum", {of(g), of(w), of(v)}));
  if (w.size > 0)
    run(lane::compute, {reads(g.data), writes(w.data), writes(v.data)},
        [&] { do_update_momentum(rate, mu, g, w, v); });
}

void backend::update_adam(float rate, const adam_factors& factors, std::uint64_t step,
                          device_span<const float> g, device_span<float> w, device_span<float> mean,
                          device_span<float> square) {
  if (fault_) return;
  if (g.size != w.size || mean.size != w.size || square.size != w.size || step == 0)
    return fail(fault_kind::bad_shape,
                mismatch("update_adam", {of(g), of(w), of(mean), of(square)}));
  const auto scale = [step](float beta) {
    return static_cast<float>(1 / (1 - std::pow(double{beta}, static_cast<double>(step))));
  };
  if (w.size > 0)
    run(lane::compute, {reads(g.data), writes(w.data), writes(mean.data), writes(square.data)},
        [&] {
          do_update_adam(rate, factors, scale(factors.beta1), scale(factors.beta2), g, w, mean,
                         square);
        });
}

void backend::copy_to_device(void* to, const void* host_from, std::size_t bytes) {
  if (fault_ || bytes == 0) return;
  const bool detour = takes_detour(host_from, bytes);
  copies_.in += bytes;
  run(lane::copy_in, {host_access(host_from, touch::read), writes(to)},
      [&] { do_copy_to_device(to, host_from, bytes, detour); });
}

void backend::copy_to_host(void* host_to, const void* from, std::size_t bytes) {
  if (fault_ || bytes == 0) return;
  const bool detour = takes_detour(host_to, bytes);
  copies_.out += bytes;
  run(lane::copy_out, {reads(from), host_access(host_to, touch::write)},
      [&] { do_copy_to_host(host_to, from, bytes, detour); });
}

} // namespace gradmesh::gpu
