#pragma once

/// The compute backend: the few operations that the models are made of, on memory that the backend
/// owns. The CPU backend (`cpu_backend.hpp`) is the reference; a device backend does the same with
/// streams and kernels, and the models do not notice.
///
/// Order: operations are enqueued and take effect in call order. A device runs copies beside
/// computations that touch other memory (`lane_order.hpp`), so a copy that is to hide behind a
/// computation needs a buffer of its own. Results are in host memory only after `download` and
/// `wait()`; host memory given to `upload` must stay as it is until then.
///
/// Failure: no exceptions. The first fault sticks: from then on every operation does nothing and
/// `wait()` returns that fault. Its owner then drops the backend and makes a new one, which for
/// `fault_kind::device_lost` is of little use.
///
/// Same shapes and same input give the same bits in every run on the same machine.
///
/// Limits: a matrix has at most 2^31 - 1 rows and columns. One thread uses a backend at a time.

#include "gpu/device_memory.hpp"
#include "gpu/fault.hpp"
#include "gpu/lane_order.hpp"
#include "gpu/memory_pool.hpp"
#include "gpu/pinned_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gradmesh::gpu {

enum class transpose : bool { no, yes };
enum class activation : bool { none, relu };

/// Sparse rows: row i holds the entries [offsets[i], offsets[i + 1]) less `first_offset` of
/// `columns` and `values`. The offsets ascend and every column is below the row count of the dense
/// operand; the caller has checked that, since the backend may not be able to look.
struct csr_matrix {
  device_span<const std::uint32_t> offsets; // rows + 1
  device_span<const std::uint32_t> columns;
  device_span<const float> values;
  std::uint32_t first_offset = 0;

  std::size_t rows() const { return offsets.size == 0 ? 0 : offsets.size - 1; }
};

/// Sums over a batch, written by `softmax_cross_entropy`.
struct batch_metrics {
  double loss_sum = 0;
  std::uint64_t correct = 0;
};

/// Products of matrices in other precisions than float32 round their operands, not the sums.
enum class product_precision : std::uint8_t { float32, tf32, bfloat16 };

/// Bytes that were copied from and to host memory, and what took or was saved a way.
struct copy_use {
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t detour = 0; // of these, from and to memory that is not pinned
  std::uint64_t spared = 0; // not copied, since the device had them (`note_spared`)
};

struct adam_factors {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;
};

class backend {
public:
  backend() = default;
  backend(const backend&) = delete;
  backend& operator=(const backend&) = delete;
  virtual ~backend() = default;

  /// "cpu", "cuda:0".
  virtual std::string_view name() const = 0;

  /// True where the backend can address host memory itself: `buffer` then copies nothing.
  virtual bool shares_host_memory() const = 0;

  /// Waits until all that was enqueued is done. Returns the first fault of this backend's life.
  const fault& wait();

  /// Whether a fault is known already. Waits for nothing and asks nobody.
  bool failed() const { return static_cast<bool>(fault_); }

  /// The first fault, after a look at the device that does not wait for it. With `when_done` this
  /// is how to know of one step while the next is under way: what it has to bring to pinned memory
  /// is there when its call has come, what it has to bring elsewhere only after `wait()`.
  const fault& look();

  /// Whether all that was enqueued is done or a fault has come, without waiting for it. `wait()`
  /// then takes no longer than the last copies from the staging memory to their places.
  bool idle();

  /// Has `call` run, on a thread of the backend, when all that was enqueued before is done: for a
  /// message to an actor that does not want to wait. It must not use the backend. On a CPU it runs
  /// at once; after a fault of the device never, so that who relies on it looks at `idle()` too.
  void when_done(std::function<void()> call);

  /// c = alpha op(a) op(b) + beta c. With beta 0, c is only written.
  void multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                device_matrix<const float> b, transpose transpose_b, float beta,
                device_matrix<float> c);

  /// out = a w: the sum of the rows of w that each sparse row names, times its values.
  void multiply_sparse(const csr_matrix& a, device_matrix<const float> w, device_matrix<float> out);

  /// out += a^T d: adds each row of d, times a value, to every row of out that the sparse row
  /// names.
  void add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                             device_matrix<float> out);

  /// x = f(x + bias), the bias added to every row.
  void add_bias(device_span<const float> bias, activation f, device_matrix<float> x);

  /// gradient = 0 where `activated` (the output of ReLU) is 0.
  void relu_backward(device_matrix<const float> activated, device_matrix<float> gradient);

  /// For rows of logits z and labels y: metrics = sums of -log softmax(z)[y] and of argmax z = y
  /// (the first of equals); then z = scale (softmax(z) - onehot(y)), the gradient of the loss.
  /// Labels are in [0, columns); the caller has checked that.
  void softmax_cross_entropy(device_span<const std::int32_t> labels, float scale,
                             device_matrix<float> z, device_span<batch_metrics> metrics);

  /// out[j] = sum over i of x[i][j].
  void sum_rows(device_matrix<const float> x, device_span<float> out);

  /// y = y + alpha x.
  void add_scaled(float alpha, device_span<const float> x, device_span<float> y);

  /// x = alpha x.
  void scale(float alpha, device_span<float> x);

  /// x = value.
  void fill(float value, device_span<float> x);

  /// out[i] = table[rows[i]], row by row. The rows are below the table's; the caller has checked
  /// that.
  void gather_rows(device_matrix<const float> table, device_span<const std::uint32_t> rows,
                   device_matrix<float> out);

  /// table[rows[i]] = x[i]; no row is named twice.
  void scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                    device_matrix<float> table);

  /// Update rules, as in actors/parameters/optimizers (with their sources); SGD is `add_scaled`.
  /// v = mu v + g, w = w - rate v.
  void update_momentum(float rate, float mu, device_span<const float> g, device_span<float> w,
                       device_span<float> v);
  /// `step` counts from 1.
  void update_adam(float rate, const adam_factors& factors, std::uint64_t step,
                   device_span<const float> g, device_span<float> w, device_span<float> mean,
                   device_span<float> square);

  /// Memory and copies, in bytes; `buffer` is the way to use them. `allocate` gives at least
  /// 64-byte alignment and null when out of memory (and then a fault). `release` takes effect after
  /// the operations enqueued before it, and accepts null.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;
  /// What the backend holds of the memory that it has to be sparing with; zeros on a CPU.
  virtual memory_use memory() const { return {}; }
  /// Host memory that copies run from and to without a detour, of `host_buffer`. Null and a fault
  /// when there is none left.
  virtual void* allocate_host(std::size_t bytes) = 0;
  virtual void release_host(void* memory) = 0;
  /// Such memory for other threads, which outlives the backend; null where copies need none.
  virtual std::shared_ptr<pinned_memory> make_pinned() { return nullptr; }
  /// Copies from and to `memory`, of this or an earlier backend on the device, take no detour. Who
  /// uses it keeps copies and other accesses apart.
  void use_pinned(std::shared_ptr<const pinned_memory> memory) { pinned_ = std::move(memory); }
  /// What operations use for themselves, at most, on matrices of these sizes.
  virtual std::size_t scratch_bytes(std::size_t /*rows*/, std::size_t /*columns*/) const {
    return 0;
  }
  void copy_to_device(void* to, const void* host_from, std::size_t bytes);
  void copy_to_host(void* host_to, const void* from, std::size_t bytes);
  const copy_use& copies() const { return copies_; }
  /// So many bytes were on the device already, and a copy of them was left out.
  void note_spared(std::size_t bytes) { copies_.spared += bytes; }

protected:
  /// Keeps the first fault.
  void fail(fault_kind kind, std::string text);
  void fail(fault why);

  /// For a backend with lanes: what its memory is used by. It adds the blocks that it hands out.
  lane_order& order() { return *order_; }
  void work_in_lanes() { order_.emplace(); }

private:
  /// Called only when nothing failed before; shapes fit and no operand is empty unless said.
  virtual void do_wait() = 0;
  virtual bool do_idle() { return true; }
  virtual void do_when_done(std::function<void()> call) { call(); }
  /// With lanes: what comes next in a lane awaits an operation of another one; an operation was
  /// enqueued.
  virtual void do_await(lane /*where*/, lane /*other*/, ticket /*until*/) {}
  virtual void do_mark(lane /*where*/) {}
  /// The inner dimension may be 0.
  virtual void do_multiply(float alpha, device_matrix<const float> a, transpose transpose_a,
                           device_matrix<const float> b, transpose transpose_b, float beta,
                           device_matrix<float> c) = 0;
  virtual void do_multiply_sparse(const csr_matrix& a, device_matrix<const float> w,
                                  device_matrix<float> out) = 0;
  virtual void do_add_sparse_transposed(const csr_matrix& a, device_matrix<const float> d,
                                        device_matrix<float> out) = 0;
  virtual void do_add_bias(device_span<const float> bias, activation f, device_matrix<float> x) = 0;
  virtual void do_relu_backward(device_span<const float> activated,
                                device_span<float> gradient) = 0;
  /// May have no rows; the metrics are written all the same.
  virtual void do_softmax_cross_entropy(device_span<const std::int32_t> labels, float scale,
                                        device_matrix<float> z, batch_metrics* metrics) = 0;
  /// May have no rows; `out` is written all the same.
  virtual void do_sum_rows(device_matrix<const float> x, device_span<float> out) = 0;
  virtual void do_add_scaled(float alpha, device_span<const float> x, device_span<float> y) = 0;
  virtual void do_scale(float alpha, device_span<float> x) = 0;
  virtual void do_fill(float value, device_span<float> x) = 0;
  virtual void do_gather_rows(device_matrix<const float> table,
                              device_span<const std::uint32_t> rows, device_matrix<float> out) = 0;
  virtual void do_scatter_rows(device_matrix<const float> x, device_span<const std::uint32_t> rows,
                               device_matrix<float> table) = 0;
  virtual void do_update_momentum(float rate, float mu, device_span<const float> g,
                                  device_span<float> w, device_span<float> v) = 0;
  /// The scales correct the moments' bias: 1 / (1 - beta^step).
  virtual void do_update_adam(float rate, const adam_factors& factors, float mean_scale,
                              float square_scale, device_span<const float> g, device_span<float> w,
                              device_span<float> mean, device_span<float> square) = 0;
  /// The host memory may be pageable; with lanes it then is `detour`.
  virtual void do_copy_to_device(void* to, const void* host_from, std::size_t bytes,
                                 bool detour) = 0;
  virtual void do_copy_to_host(void* host_to, const void* from, std::size_t bytes, bool detour) = 0;

  /// Enqueues an operation in a lane, behind what it has to await.
  template <class Operation>
  void run(lane where, std::initializer_list<memory_access> touched, const Operation& operation);
  memory_access host_access(const void* memory, touch how) const;
  /// Counts a copy's bytes; whether it takes the detour.
  bool takes_detour(const void* host, std::size_t bytes);

  fault fault_;
  std::optional<lane_order> order_; // of a backend with lanes
  std::shared_ptr<const pinned_memory> pinned_;
  copy_use copies_;
};

} // namespace gradmesh::gpu
