#pragma once

#include "actors/application/application.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace troupe::actors {

/// The main function of a program that is a node: `troupe serve`, or one with extensions of its own.
///
///     int main(int argc, char** argv) {
///         return troupe::actors::serve({argv + 1, argv + argc}, TROUPE_RUNNER, {.kinds = {…}, .routes = …});
///     }
///
/// Reads the configuration (`--config FILE`, environment, `--PROPERTY VALUE`), starts the node, prints
/// "troupe ready http://ADDR:PORT" and serves. SIGTERM and SIGINT drain it and end the process with status 0; SIGHUP
/// reads the configuration again. Returns only when the node could not start: 2 for a bad configuration, else 1, with
/// the reason on standard error. Call it before the program starts threads: it blocks these signals for all of them.
int serve(const std::vector<std::string>& args, const std::filesystem::path& runner, extensions own = {});

} // namespace troupe::actors
