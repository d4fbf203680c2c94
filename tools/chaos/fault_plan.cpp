#include "tools/chaos/fault_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <sstream>

namespace gradmesh::tools::chaos {
namespace {

/// Names with commas between them, each at most once.
template <class T>
result<std::vector<T>> parse_list(const std::string& text, std::span<const T> all) {
  std::string known;
  for (const auto one : all)
    known += (known.empty() ? "" : ", ") + std::string(to_string(one));
  std::vector<T> found;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    const auto one = std::ranges::find_if(all, [&](T t) { return to_string(t) == name; });
    if (one == all.end())
      return error{errc::invalid_argument, "'" + name + "' is not one of " + known};
    if (std::ranges::find(found, *one) != found.end())
      return error{errc::invalid_argument, "'" + name + "' stands there twice"};
    found.push_back(*one);
  }
  if (found.empty()) return error{errc::invalid_argument, "name one or more of " + known};
  return found;
}

} // namespace

std::string_view to_string(fault_kind kind) {
  constexpr std::string_view names[] = {"kill", "stop", "partition", "disk-full"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(cut_shape shape) {
  constexpr std::string_view names[] = {"both ways", "arriving", "leaving", "broken"};
  return names[static_cast<std::size_t>(shape)];
}

std::string_view to_string(victim_role role) {
  constexpr std::string_view names[] = {"coordinator", "server", "data-server", "worker"};
  return names[static_cast<std::size_t>(role)];
}

result<std::vector<fault_kind>> parse_fault_kinds(const std::string& text) {
  return parse_list<fault_kind>(text, all_fault_kinds);
}

result<std::vector<victim_role>> parse_victim_roles(const std::string& text) {
  return parse_list<victim_role>(text, all_victim_roles);
}

victims only(const victims& all, const std::vector<victim_role>& roles) {
  victims some;
  const auto take = [&](victim_role role, auto member) {
    if (std::ranges::find(roles, role) != roles.end()) some.*member = all.*member;
  };
  take(victim_role::coordinator, &victims::coordinators);
  take(victim_role::server, &victims::servers);
  take(victim_role::data_server, &victims::data_servers);
  take(victim_role::worker, &victims::workers);
  return some;
}

bool hits(fault_kind kind, victim_role role) {
  return kind != fault_kind::disk_full || role == victim_role::coordinator ||
         role == victim_role::server;
}

std::string describe(const fault& f) {
  std::string text(to_string(f.kind));
  if (f.kind == fault_kind::partition) text += fmt::format(" ({})", to_string(f.shape));
  if (f.lasts.count() > 0) text += fmt::format(" for {} ms", f.lasts.count());
  return text;
}

fault_plan::fault_plan(std::uint64_t seed, std::vector<fault_kind> kinds, const victims& who,
                       std::chrono::milliseconds longest)
    : random_(seed), kinds_(std::move(kinds)), longest_(longest) {
  for (const auto* role : {&who.coordinators, &who.servers, &who.data_servers, &who.workers}) {
    if (role->empty()) continue;
    roles_.push_back(*role);
    if (role == &who.coordinators || role == &who.servers) with_disk_ = roles_.size();
  }
}

const std::string& fault_plan::draw_node(fault_kind kind) {
  const auto roles = kind == fault_kind::disk_full ? with_disk_ : roles_.size();
  const auto& role = roles_[random_.below(roles)];
  return role[random_.below(role.size())];
}

fault fault_plan::next() {
  fault f;
  f.kind = kinds_[random_.below(kinds_.size())];
  f.node = draw_node(f.kind);
  const auto span = static_cast<std::uint64_t>((longest_ - shortest_fault).count()) + 1;
  // All that is drawn is drawn always, so that leaving out a kind changes as little as it can.
  const std::chrono::milliseconds lasts =
      shortest_fault + std::chrono::milliseconds(random_.below(span));
  const auto shape = static_cast<cut_shape>(random_.below(4));
  if (f.kind == fault_kind::partition) f.shape = shape;
  const bool at_once = f.kind == fault_kind::kill ||
                       (f.kind == fault_kind::partition && f.shape == cut_shape::broken);
  if (!at_once) f.lasts = lasts;
  return f;
}

std::chrono::milliseconds fault_plan::pause(std::chrono::milliseconds interval) {
  const auto whole = static_cast<std::uint64_t>(interval.count());
  return std::chrono::milliseconds(whole / 2 + random_.below(whole + 1));
}

} // namespace gradmesh::tools::chaos
