#pragma once

#include "net/model/model.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

/// The rehearsal: a scripted model for demonstrations and for the tests of agents. The format is in rehearsal.md.
namespace troupe::actors {

/// A script larger than this is refused.
inline constexpr std::size_t rehearsal_script_bytes_max = 1 << 20;

/// A model that follows `script` (YAML). `file` is what errors call it. `script_invalid` names each place as FILE:LINE.
///
/// A reply is a pure function of the script and the request's messages: the same context gives the same reply, in any
/// process, however often it is asked. `complete` gives `script_exhausted` when no rule matches, with what it saw.
expected<std::unique_ptr<net::model>> make_rehearsal_model(std::string_view script, std::string file);

/// The script that stands in where no key is set: it mends the sample project (tests/fixtures/sample).
std::string_view default_rehearsal_script();

} // namespace troupe::actors
