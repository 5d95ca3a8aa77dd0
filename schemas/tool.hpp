#pragma once

#include "schemas/base/described.hpp"

#include <string>
#include <vector>

namespace troupe {

/// What becomes of a call of a tool whose node stopped meanwhile.
BOOST_DEFINE_ENUM_CLASS(tool_repeat, repeated, recorded, by_the_run, as_the_run_says)

/// An item of GET /tools
struct tool_document {
    std::string name;
    std::string description; ///< What the model reads.
    std::string permission;  ///< What rules can name in place of the tool: "read", "execute", …
    bool needs_project = false;
    bool changes_project = false;
    tool_repeat after_crash = tool_repeat::repeated; ///< repeated: it does no harm. recorded: only if it never began.
                                                     ///< by_the_run: it has no effect outside the run.
                                                     ///< as_the_run_says: `on_unknown` decides.
    std::vector<std::string> kinds;                  ///< That have it by themselves; empty: all kinds.
    json::raw parameters;                            ///< JSON Schema of its arguments.
};
BOOST_DESCRIBE_STRUCT(tool_document, (),
                      (name, description, permission, needs_project, changes_project, after_crash, kinds, parameters))

} // namespace troupe
