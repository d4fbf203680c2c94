#include "tools/chaos/socket_owner.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace gradmesh::tools::chaos {
namespace {

namespace fs = std::filesystem;

std::string command_line(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/cmdline", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The port of "0100007F:1E14"; 0 for anything else.
unsigned long port_of(const std::string& address) {
  const auto colon = address.find(':');
  return colon == std::string::npos ? 0 : std::stoul(address.substr(colon + 1), nullptr, 16);
}

} // namespace

std::vector<std::pair<std::string, pid_t>> node_processes(const std::string& folder) {
  using namespace std::string_literals;
  const auto begin = "gradmesh\0node\0"s + folder + "/";
  const auto end = ".ini\0"s;
  std::vector<std::pair<std::string, pid_t>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto line = command_line(pid);
    if (!line.starts_with(begin)) continue;
    const auto name = line.substr(begin.size(), line.find(end, begin.size()) - begin.size());
    found.emplace_back(name, static_cast<pid_t>(std::stol(pid)));
  }
  return found;
}

std::uint64_t socket_inode(std::uint16_t local, std::uint16_t remote) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line); // headings
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number, from, to, state, queues, timer, retransmits, user, timeout;
    std::uint64_t inode = 0;
    words >> number >> from >> to >> state >> queues >> timer >> retransmits >> user >> timeout >>
        inode;
    if (words && port_of(from) == local && port_of(to) == remote) return inode;
  }
  return 0;
}

bool has_socket(pid_t pid, std::uint64_t inode) {
  const auto wanted = "socket:[" + std::to_string(inode) + "]";
  std::error_code ignored;
  for (fs::directory_iterator at("/proc/" + std::to_string(pid) + "/fd", ignored), end;
       at != end && !ignored; at.increment(ignored))
    if (fs::read_symlink(at->path(), ignored) == wanted) return true;
  return false;
}

} // namespace gradmesh::tools::chaos
