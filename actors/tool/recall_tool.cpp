#include "actors/tool/tool_performers.hpp"

#include <fmt/format.h>

namespace troupe::actors {

/// What a folded message of the run's context was. The run knows its journal; the tool only pages through it.
tool_result recall(const recall_arguments& a, const tool_environment& where) {
    if (!where.recall) {
        return refuse("there is nothing to recall here");
    }
    const auto text = where.recall(a.message);
    if (!text) {
        return refuse(text.error());
    }
    const auto shown = shown_lines(*text, a.start_line, std::string::npos, tool_content_bytes_max);
    return shown ? tool_result{.content = *shown}
                 : refuse(fmt::format("message {} has only {} lines", a.message, count_lines(*text)));
}

} // namespace troupe::actors
