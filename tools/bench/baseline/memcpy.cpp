#include "tools/bench/baseline/baseline.hpp"
#include "tools/bench/touch.hpp"

#include <vector>

namespace gradmesh::tools::bench {
namespace {

using clock = std::chrono::steady_clock;
/// Small copies are counted in batches, so that the clock costs nothing.
constexpr std::uint64_t batch_bytes = 1u << 20;

class memory_copy final : public baseline {
public:
  explicit memory_copy(bool touch) : touch_(touch) {}

  const char* name() const override { return "memcpy"; }

  result<double> goodput(std::uint64_t bytes, std::chrono::duration<double> time) override {
    const std::vector<std::byte> from(bytes, std::byte{1});
    std::vector<std::byte> to(bytes);
    const auto batch = std::max<std::uint64_t>(1, batch_bytes / bytes);
    const auto begin = clock::now();
    std::uint64_t copied = 0;
    std::chrono::duration<double> passed{0};
    while (passed < time) {
      for (std::uint64_t i = 0; i < batch; ++i) {
        std::memcpy(to.data(), from.data(), bytes);
        asm volatile("" : : "r"(to.data()) : "memory"); // each copy counts
        if (touch_) touch_all(to);
      }
      copied += batch * bytes;
      passed = clock::now() - begin;
    }
    return static_cast<double>(copied) / passed.count() / 1e9;
  }

  result<std::optional<double>> rtt_us(std::uint64_t, std::chrono::duration<double>) override {
    return std::optional<double>();
  }

private:
  bool touch_;
};

} // namespace

std::unique_ptr<baseline> make_memcpy(bool touch) {
  return std::make_unique<memory_copy>(touch);
}

} // namespace gradmesh::tools::bench
