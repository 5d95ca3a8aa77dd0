#include "bin/cli/decide.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/show.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

expected<int> approval_list(context& c) {
    const auto status = c.args().value_or("status", "pending");
    query_list query{{"status", status == "all" ? "" : status}};
    if (const auto word = c.args().value("run")) {
        auto node = c.node();
        if (!node) {
            return node.error();
        }
        const auto run = resolve_run(**node, *word);
        if (!run) {
            return run.error();
        }
        query.emplace_back("run_id", to_string(*run));
    }
    return print_list<approval_document>(
        c, "/approvals", std::move(query), "Nothing waits for a decision.",
        [&](const auto& items) { return show_approvals(c.out_screen(), items, c.now()); });
}

expected<std::pair<api*, uuid>> find_approval(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto id = resolve_approval(**node, c.args().operand(0));
    return id ? expected<std::pair<api*, uuid>>(std::pair(*node, *id)) : expected<std::pair<api*, uuid>>(id.error());
}

expected<int> approval_show(context& c) {
    const auto found = find_approval(c);
    if (!found) {
        return found.error();
    }
    return print_document<approval_document>(c, found->first->get("/approvals/" + to_string(found->second)),
                                             [&](const auto& a) { return show_approval(c.out_screen(), a, c.now()); });
}

expected<int> approval_decide(context& c) {
    const auto decision = detail::enum_value<troupe::decision>(c.args().operand(1));
    if (!decision) {
        return c.usage(
            {code::invalid_request,
             fmt::format("\"{}\" is no decision: approve, deny, answer, retry or skip.", c.args().operand(1))});
    }
    decide_approval_body body{*decision, c.args().text_from(2), std::nullopt};
    if (const auto arguments = c.args().value("arguments")) {
        auto checked = json::make_raw(*arguments);
        if (!checked) {
            return c.usage({code::invalid_request, "--arguments is no JSON: " + checked.error().detail});
        }
        body.arguments = std::move(*checked);
    }
    if (auto remembered = read_remember(c.args(), body); !remembered) {
        return c.usage(remembered.error());
    }
    const auto found = find_approval(c);
    if (!found) {
        return found.error();
    }
    return print_document<approval_document>(
        c, found->first->post("/approvals/" + to_string(found->second) + "/decide", to_json(body)),
        [&](const auto& a) { return show_approval(c.out_screen(), a, c.now()); });
}

expected<int> approval_delegate(context& c) {
    const auto member = parse_uuid(c.args().operand(1));
    if (!member) {
        return c.usage({code::invalid_request,
                        fmt::format("\"{}\" is no id of a member: see `troupe org members`.", c.args().operand(1))});
    }
    const auto found = find_approval(c);
    if (!found) {
        return found.error();
    }
    return print_document<approval_document>(c,
                                             found->first->post("/approvals/" + to_string(found->second) + "/delegate",
                                                                to_json(delegate_approval_body{*member})),
                                             [&](const auto& a) { return show_approval(c.out_screen(), a, c.now()); });
}

} // namespace

std::vector<command> approval_commands() {
    return {
        {"approval list",
         "What waits for a person.",
         {.flags = {{"status", "STATUS",
                     "pending (the default), approved, denied, answered, withdrawn, expired or all."},
                    {"run", "RUN", "Only those of this run."},
                    limit_flag()}},
         "troupe approval list\ntroupe approval list --status all --run 018f3c1e-7d2a",
         approval_list},
        {"approval show",
         "What is asked, with all arguments.",
         {.operands = "APPROVAL", .operands_min = 1, .operands_max = 1},
         "troupe approval show 018f3c1e-7d2a",
         approval_show},
        {"approval decide",
         "Decide: approve or deny a call, answer a question, retry or skip an unknown step.",
         {.flags =
              with_remember_flags({{"arguments", "JSON", "With approve: arguments to use instead of the model's."}}),
          .operands = "APPROVAL DECISION [TEXT]",
          .operands_min = 2,
          .operands_max = any_number},
         "troupe approval decide 018f3c1e-7d2a approve\ntroupe approval decide 018f3c1e-7d2a deny not on a Friday\n"
         "troupe approval decide 018f3c1e-7d2a approve --remember agent --pattern \"git *\"",
         approval_decide},
        {"approval delegate",
         "Ask a member to decide. Others still may.",
         {.operands = "APPROVAL MEMBER_ID", .operands_min = 2, .operands_max = 2},
         "troupe approval delegate 018f3c1e-7d2a 018f3c5e-0000-7000-8000-000000000001",
         approval_delegate},
    };
}

} // namespace troupe::cli
