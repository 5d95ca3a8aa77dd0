#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"

#include <functional>
#include <string>

/// Edits of WORKING.md become commands to tasks. `done` comes from any thread: what was refused is as a whole, or says
/// what was made before.
namespace troupe::actors {

/// Takes over what was changed in the text, in the name of the request's caller; with its `Idempotency-Key` once.
void edit_working(const runtime::services& s, net::request r, std::string text,
                  std::function<void(expected<void>)> done);

/// Brings status and title of the tasks that the text showed at that time back to what they were then.
void restore_working(const runtime::services& s, net::request r, timestamp at,
                     std::function<void(expected<void>)> done);

} // namespace troupe::actors
