#include "tools/replay_view.hpp"

#include "tools/figures.hpp"

#include <fmt/format.h>

namespace gradmesh::tools {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::size_t bar_columns = 30;

} // namespace

replay_view::replay_view(std::FILE* out)
    : out_(out), redraws_(terminal_of(out).interactive), block_(out),
      began_(std::chrono::steady_clock::now()) {}

void replay_view::show(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return;
  const auto now = std::chrono::steady_clock::now();
  const auto fraction = static_cast<double>(done) / static_cast<double>(total);
  const auto tenths = static_cast<int>(fraction * 10);
  const bool due = redraws_ ? done == total || now - drawn_ >= redraw_interval : tenths > tenths_;
  if (!due) return;
  drawn_ = now;
  tenths_ = tenths;
  const auto seconds = std::chrono::duration<double>(now - began_).count();
  const auto rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  auto line = fmt::format("replaying {:3.0f}%  {} of {} pushes  {} pushes/s", fraction * 100,
                          grouped(done), grouped(total), short_count(rate));
  if (done < total)
    line += "  ETA " + short_duration(eta_seconds(static_cast<double>(done),
                                                  static_cast<double>(total), seconds));
  if (redraws_)
    return block_.draw({progress_bar(fraction, bar_columns) + "  " + line}, terminal_of(out_));
  std::fputs((line + '\n').c_str(), out_);
  std::fflush(out_);
}

} // namespace gradmesh::tools
