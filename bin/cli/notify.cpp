#include "bin/cli/board_text.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/notification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

/// What one was told, where one wants to be told, and what did not get there.
namespace troupe::cli {
namespace {

expected<int> notify_list(context& c) {
    return print_list<notification_document>(
        c, "/notifications", {{"unread", c.args().has("all") ? "" : "true"}},
        c.args().has("all") ? "You were told nothing." : "Nothing new. See older ones with --all.",
        [&](const auto& told) { return show_notifications(c.out_screen(), told, c.now()); });
}

expected<int> notify_read(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->post("/notifications/mark-all-read", ""), "All are read.")
                : expected<int>(node.error());
}

expected<int> notify_mute(context& c) {
    auto node = c.node();
    const auto now = node ? (*node)->get_as<notification_preferences>("/notifications/preferences")
                          : expected<notification_preferences>(node.error());
    if (!now) {
        return now.error();
    }
    auto wanted = *now;
    wanted.muted.clear();
    for (const auto& word : c.args().operands()) {
        const auto kind = detail::enum_value<notification_kind>(word);
        if (!kind) {
            return c.usage(
                {code::invalid_request,
                 fmt::format("\"{}\" is no kind: mention, assignment, review, failure, question or alert.", word)});
        }
        wanted.muted.push_back(*kind);
    }
    return print_done(c, (*node)->put("/notifications/preferences", to_json(wanted)),
                      wanted.muted.empty() ? "You are told of everything." : "You are not told of these any more.");
}

/// "email,webhook"; "none" is an empty list.
expected<std::vector<notification_channel>> channels_in(std::string_view text) {
    std::vector<notification_channel> out;
    while (!text.empty() && text != "none") {
        const auto word = text.substr(0, text.find(','));
        const auto channel = detail::enum_value<notification_channel>(word);
        if (!channel) {
            return problem{code::invalid_request,
                           fmt::format("\"{}\" is no channel: in_app, email or webhook, by commas, or none.", word)};
        }
        out.push_back(*channel);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return out;
}

/// KIND=CHANNELS
expected<kind_channels> kind_in(std::string_view text) {
    const auto equals = text.find('=');
    const auto kind = detail::enum_value<notification_kind>(text.substr(0, equals));
    if (!kind || equals == std::string_view::npos) {
        return problem{code::invalid_request,
                       fmt::format("--kind takes KIND=CHANNELS, as failure=in_app,email, not \"{}\".", text)};
    }
    auto channels = channels_in(text.substr(equals + 1));
    return channels ? expected<kind_channels>(kind_channels{*kind, std::move(*channels)}) : channels.error();
}

/// "22:00-07:00", with an offset behind it where there is one: "22:00-07:00+02:00". "none": none.
expected<std::optional<quiet_hours>> quiet_in(const std::string& text) {
    constexpr std::size_t span = 11;
    if (text == "none") {
        return std::optional<quiet_hours>();
    }
    if (text.size() < span || text[5] != '-') {
        return problem{code::invalid_request, "--quiet takes HH:MM-HH:MM, with +HH:MM or -HH:MM from UTC behind it."};
    }
    quiet_hours out{text.substr(0, 5), text.substr(6, 5)};
    if (text.size() > span) {
        out.offset = text.substr(span);
    }
    return std::optional(std::move(out));
}

/// An option's text; an empty one takes it away.
void take_text(const arguments& args, std::string_view name, std::optional<std::string>& into) {
    if (const auto given = args.value(name)) {
        into = given->empty() ? std::nullopt : given;
    }
}

expected<void> take_changes(const arguments& args, notification_preferences& p) {
    if (const auto text = args.value("channels")) {
        auto channels = channels_in(*text);
        if (!channels) {
            return channels.error();
        }
        p.channels = std::move(*channels);
    }
    if (args.has("kind")) {
        p.by_kind.emplace();
    }
    for (const auto& word : args.values("kind")) {
        auto own = kind_in(word);
        if (!own) {
            return own.error();
        }
        p.by_kind->push_back(std::move(*own));
    }
    if (const auto text = args.value("quiet")) {
        auto quiet = quiet_in(*text);
        if (!quiet) {
            return quiet.error();
        }
        p.quiet = std::move(*quiet);
    }
    take_text(args, "email", p.email);
    take_text(args, "webhook", p.webhook_url);
    if (args.has("new-secret")) {
        p.webhook_secret_number = p.webhook_secret_number.value_or(0) + 1;
    }
    const auto batch = args.number("batch-s", 0, 24 * 3600);
    if (!batch) {
        return batch.error();
    }
    if (*batch) {
        p.batch_ms = static_cast<std::int64_t>(**batch) * 1000;
    }
    return {};
}

std::string words_of(const std::vector<notification_channel>& channels) {
    std::string out;
    for (const auto channel : channels) {
        out += (out.empty() ? "" : ", ") + std::string(detail::enum_name(channel));
    }
    return out.empty() ? "nowhere" : out;
}

std::string show_preferences(const notification_preferences& p) {
    auto out =
        fmt::format("told in      {}\n", words_of(p.channels.value_or(std::vector{notification_channel::in_app})));
    for (const auto& own : p.by_kind.value_or(std::vector<kind_channels>{})) {
        out += fmt::format("  {:<10} {}\n", detail::enum_name(own.kind), words_of(own.channels));
    }
    for (const auto kind : p.muted) {
        out += fmt::format("  {:<10} not at all\n", detail::enum_name(kind));
    }
    out += fmt::format("at least     {}\n", detail::enum_name(p.at_least));
    if (p.quiet) {
        out += fmt::format("quiet        {} to {} ({})\n", p.quiet->start, p.quiet->end, p.quiet->offset);
    }
    if (p.batch_ms) {
        out += fmt::format("batch        {} s\n", *p.batch_ms / 1000);
    }
    out += p.email ? "e-mail       " + clean_line(*p.email) + "\n" : "";
    return out + (p.webhook_url ? "webhook      " + clean_line(*p.webhook_url) + "\n" : "");
}

expected<int> notify_preferences(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const std::string path = "/notifications/preferences";
    const bool changes =
        std::ranges::any_of(std::initializer_list<std::string_view>{"channels", "kind", "quiet", "email", "webhook",
                                                                    "new-secret", "batch-s"},
                            [&](auto name) { return c.args().has(name); });
    if (!changes) {
        return print_document<notification_preferences>(c, (*node)->get(path), show_preferences);
    }
    auto wanted = (*node)->get_as<notification_preferences>(path);
    if (!wanted) {
        return wanted.error();
    }
    if (auto taken = take_changes(c.args(), *wanted); !taken) {
        return c.usage(taken.error());
    }
    return print_document<notification_preferences>(c, (*node)->put(path, to_json(*wanted)), show_preferences);
}

expected<int> notify_secret(context& c) {
    auto node = c.node();
    return node ? print_document<webhook_secret_document>(c, (*node)->get("/notifications/webhook-secret"),
                                                          [](const auto& d) { return d.secret + "\n"; })
                : expected<int>(node.error());
}

expected<int> dead_letters(context& c) {
    return print_list<undelivered_document>(
        c, "/notification-dead-letters", {}, "All that left the node was delivered, or still may be.",
        [&](const auto& all) { return show_undelivered(c.out_screen(), all, c.now()); });
}

expected<int> retry_dead_letter(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->post("/notification-dead-letters/" + c.args().operand(0) + "/retry", ""),
                             "It is delivered again.")
                : expected<int>(node.error());
}

expected<int> drop_dead_letter(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->remove("/notification-dead-letters/" + c.args().operand(0)), "It is dropped.")
                : expected<int>(node.error());
}

} // namespace

std::vector<command> notify_commands() {
    return {
        {"notify list",
         "What you were told and have not read.",
         {.flags = {{"all", "", "Also what you have read."}, limit_flag()}},
         "troupe notify list",
         notify_list},
        {"notify read", "Mark all as read.", {}, "troupe notify read", notify_read},
        {"notify mute",
         "Kinds that you do not want to be told of; none: everything is told.",
         {.operands = "[KIND...]", .operands_max = any_number},
         "troupe notify mute review",
         notify_mute},
        {"notify preferences",
         "Where you want to be told, and when not; without flags, what you said.",
         {.flags = {{"channels", "C,C", "in_app, email and webhook, by commas, or none."},
                    {"kind", "KIND=C,C", "Channels of one kind. The ones given replace all.", 0, true},
                    {"quiet", "HH:MM-HH:MM+HH:MM", "Only what is urgent is sent then; none: no such hours."},
                    {"batch-s", "N", "How long what is not urgent waits, to go in one e-mail."},
                    {"email", "ADDRESS", "In place of your own; empty: your own."},
                    {"webhook", "URL", "Where notifications are posted to; empty: nowhere."},
                    {"new-secret", "", "Sign webhooks with another secret from now on."}}},
         "troupe notify preferences --channels in_app,email --kind failure=in_app,webhook --quiet 22:00-07:00+02:00",
         notify_preferences},
        {"notify secret", "With what your webhooks are signed.", {}, "troupe notify secret", notify_secret},
        {"notify dead-letters",
         "What could not be delivered by e-mail or webhook.",
         {.flags = {limit_flag()}},
         "troupe notify dead-letters",
         dead_letters},
        {"notify retry",
         "Deliver a dead letter again.",
         {.operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe notify retry ID",
         retry_dead_letter},
        {"notify drop",
         "Give a dead letter up for good.",
         {.operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe notify drop ID",
         drop_dead_letter},
    };
}

} // namespace troupe::cli
