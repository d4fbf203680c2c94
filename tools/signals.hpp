#pragma once

/// Ctrl-C and termination as a flag that loops look at. The one global of the program: signal
/// handlers can reach nothing else.

namespace gradmesh::tools {

/// From now on SIGINT and SIGTERM set the flag instead of ending the program; a second one ends it.
void catch_interrupts();
bool interrupted();

} // namespace gradmesh::tools
