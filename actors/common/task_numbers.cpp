#include "actors/common/task_numbers.hpp"

#include "schemas/task_messages.hpp"

#include <fmt/format.h>

#include <charconv>

namespace troupe::actors {

namespace {

constexpr std::string_view prefix = "TASK-";

} // namespace

std::string task_key(std::uint64_t number) { return fmt::format("{}{:03}", prefix, number); }

std::optional<std::uint64_t> task_number_in(std::string_view key) {
    if (key.size() <= prefix.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < prefix.size(); ++i) {
        if (key[i] != prefix[i] && key[i] != (prefix[i] | 0x20)) {
            return std::nullopt;
        }
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(key.data() + prefix.size(), key.data() + key.size(), number);
    return error == std::errc() && end == key.data() + key.size() && number > 0 ? std::optional(number) : std::nullopt;
}

runtime::command number_command(const uuid& organization, const uuid& task, std::string principal) {
    runtime::command c;
    c.to = {organization, "board", organization};
    c.type = wire_name<take_task_number>::value;
    c.payload = to_json(take_task_number{task});
    c.id = "number/" + to_string(task);
    c.principal = std::move(principal);
    return c;
}

expected<std::uint64_t> number_in(const runtime::reply& answer) {
    if (!answer) {
        return answer.error();
    }
    const auto taken = from_json<task_number>(answer->document, strictness::stored);
    return taken ? expected<std::uint64_t>(taken->number) : taken.error();
}

} // namespace troupe::actors
