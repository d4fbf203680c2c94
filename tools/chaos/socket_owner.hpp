#pragma once

/// Whose a connection is: what /proc tells of sockets and processes.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gradmesh::tools::chaos {

/// Processes that run `gradmesh node FOLDER/NAME.ini`, as (NAME, process id).
std::vector<std::pair<std::string, pid_t>> node_processes(const std::string& folder);

/// The inode of the IPv4 TCP socket with these local and remote ports; 0: there is none.
std::uint64_t socket_inode(std::uint16_t local, std::uint16_t remote);

/// Whether the process has the socket open.
bool has_socket(pid_t pid, std::uint64_t inode);

} // namespace gradmesh::tools::chaos
