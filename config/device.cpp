#include "config/device.hpp"

#include <string_view>

namespace gradmesh::config {

namespace {

constexpr std::string_view cuda_prefix = "cuda:";
constexpr std::uint32_t number_max = 255;

} // namespace

std::string to_string(const device_choice& device) {
  switch (device.what) {
  case device_choice::kind::automatic:
    return "auto";
  case device_choice::kind::cpu:
    return "cpu";
  default:
    return std::string(cuda_prefix) + std::to_string(device.number);
  }
}

value_type<device_choice> device_name() {
  const std::string accepts = "auto, cpu or cuda:N (N in 0.." + std::to_string(number_max) + ")";
  return {
      accepts,
      [=](const std::string& text) -> result<device_choice> {
        if (text == "auto") return device_choice{};
        if (text == "cpu") return device_choice{device_choice::kind::cpu, 0};
        if (text.starts_with(cuda_prefix))
          if (const auto n = parse_whole_number(text.substr(cuda_prefix.size()), 0, number_max))
            return device_choice{device_choice::kind::cuda, static_cast<std::uint32_t>(*n)};
        return refused_value(text, accepts);
      },
      [](const device_choice& device) { return to_string(device); },
  };
}

} // namespace gradmesh::config
