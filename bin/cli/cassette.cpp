#include "schemas/cassette.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <vector>

/// Recorded model calls, as the node has them in its folder.
namespace troupe::cli {
namespace {

struct cassette_list_document {
    std::vector<cassette_document> items;
};
BOOST_DESCRIBE_STRUCT(cassette_list_document, (), (items))

std::string path_of(const context& c) { return "/cassettes/" + encode_segment(c.args().operand(0)); }

expected<int> cassette_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<cassette_list_document>(c, (*node)->get("/cassettes"), [&](const auto& list) {
        if (list.items.empty()) {
            return std::string(
                "There is no cassette. `troupe run start --model record:NAME/MODEL GOAL` records one, in "
                "the folder that model.cassettes names.\n");
        }
        std::vector<std::vector<cell>> rows;
        for (const auto& one : list.items) {
            rows.push_back({{one.name, tone::accent},
                            {bytes_text(one.bytes)},
                            {relative_time(one.changed_at, c.now()), tone::faint}});
        }
        return table(c.out_screen(), {{"CASSETTE"}, {"SIZE", true}, {"CHANGED"}}, rows);
    });
}

std::string shown(const screen& s, const cassette_content_document& d, timestamp now) {
    auto out = details(s, {{"cassette", {d.name, tone::accent}},
                           {"played as", {"cassette:" + d.name}},
                           {"size", {bytes_text(d.bytes)}},
                           {"changed", {relative_time(d.changed_at, now)}},
                           {"calls", {count_text(d.calls_count)}}});
    std::vector<std::vector<cell>> rows;
    for (const auto& call : d.calls) {
        const auto said = clean_line(call.answer) + (call.answer.empty() || call.tools.empty() ? "" : " ") +
                          (call.tools.empty() ? "" : "→ " + joined(call.tools));
        rows.push_back({{std::to_string(rows.size() + 1)},
                        {call.model},
                        {std::to_string(call.messages)},
                        {count_text(call.input_tokens + call.output_tokens)},
                        {clean_line(call.asked), tone::faint},
                        call.problem ? cell{*call.problem, tone::bad} : cell{said}});
    }
    return rows.empty() ? out
                        : out + "\n" +
                              table(s,
                                    {{"CALL", true},
                                     {"MODEL"},
                                     {"MESSAGES", true},
                                     {"TOKENS", true},
                                     {"ASKED LAST", false, true, 12},
                                     {"ANSWER", false, true, 12}},
                                    rows);
}

expected<int> cassette_show(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<cassette_content_document>(c, (*node)->get(path_of(c)),
                                                     [&](const auto& d) { return shown(c.out_screen(), d, c.now()); });
}

expected<int> cassette_delete(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (auto gone = (*node)->remove(path_of(c)); !gone) {
        return gone.error();
    }
    c.note(fmt::format("Deleted the cassette {}.", c.args().operand(0)));
    return 0;
}

} // namespace

std::vector<command> cassette_commands() {
    const grammar which{.operands = "NAME", .operands_min = 1, .operands_max = 1};
    return {{"cassette list", "The recorded model calls of the node.", {}, "troupe cassette list", cassette_list},
            {"cassette show", "The calls of a cassette: what was asked and answered.", which,
             "troupe cassette show fix-calc", cassette_show},
            {"cassette delete", "Delete a cassette's file on the node.", which, "troupe cassette delete fix-calc",
             cassette_delete}};
}

} // namespace troupe::cli
