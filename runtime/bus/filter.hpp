#pragma once

#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// Which events of its channels a subscriber wants: those that pass every list which is not empty.
struct event_filter {
    static constexpr std::size_t entries_max = 16;
    static constexpr std::size_t entry_bytes_max = 256;

    std::vector<std::string> kinds;    ///< Any of these kinds of event, or patterns with one trailing "*": "task_*".
    std::vector<std::string> entities; ///< Any of these ids.
    /// All of these members of the event: "status=done", "task.priority=high", "ok=true". The value is what comes after
    /// the first "=": the text of a string, or a number, `true`, `false`, `null` as JSON has them.
    std::vector<std::string> where;

    [[nodiscard]] bool empty() const { return kinds.empty() && entities.empty() && where.empty(); }
    /// `entity` is an id as text, `event` JSON.
    [[nodiscard]] bool shows(std::string_view kind, std::string_view entity, std::string_view event) const;
    /// Equal filters give equal texts.
    [[nodiscard]] std::string key() const;
};

/// Whether each entry is one that could ever pass something; the problem names the entry.
expected<void> check(const event_filter& f);

} // namespace troupe::runtime
