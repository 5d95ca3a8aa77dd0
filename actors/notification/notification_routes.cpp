#include "actors/notification/notification_routes.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/common/principals.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/notification/inbox_model.hpp"
#include "net/http/handlers.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string tag = "notifications";
constexpr std::string_view collection = "notifications";

/// Whoever asks has one of its own, in each organization.
expected<entity_address> own_inbox(const request& r) {
    const auto id = inbox_of(r.who.name);
    return id ? expected<entity_address>(entity_address{r.who.organization, std::string(inbox_model::kind), *id})
              : problem{code::forbidden, "Only people and keys have notifications, and you are " + r.who.name + "."};
}

expected<inbox_view> read_inbox(const runtime::services& s, const entity_address& inbox) {
    const auto found = read_stored<inbox_view>(*s.store, inbox);
    return found ? expected<inbox_view>(found->value_or(inbox_view{})) : found.error();
}

inbox_document summary_of(const inbox_view& v) { return {v.unread.size(), v.total, v.preferences}; }

/// The first `limit` unread ones before `before` (0: from the newest).
expected<std::vector<std::string>> read_unread(const runtime::services& s, const entity_address& inbox,
                                               const inbox_view& view, std::uint64_t before, std::size_t limit) {
    std::vector<std::string> out;
    auto end = before == 0 ? view.unread.end() : std::ranges::lower_bound(view.unread, before);
    while (end != view.unread.begin() && out.size() < limit) {
        const auto item = storage::read_item(*s.store, inbox, collection, message_key(*--end));
        if (!item) {
            return item.error();
        }
        if (*item) {
            out.push_back(**item);
        }
    }
    return out;
}

expected<std::uint64_t> number_in_cursor(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? expected<std::uint64_t>(number)
                                                                    : problem{code::invalid_request,
                                                                              "cursor: this is none of this list",
                                                                              {{"cursor", "is none of this list"}}};
}

expected<std::string> unread_page(const runtime::services& s, const request& r, const entity_address& inbox,
                                  const inbox_view& view, std::size_t limit) {
    const auto cursor = r.query_value("cursor");
    const auto before = cursor ? number_in_cursor(*cursor) : expected<std::uint64_t>(0);
    const auto items =
        before ? read_unread(s, inbox, view, *before, limit) : expected<std::vector<std::string>>(before.error());
    if (!items) {
        return items.error();
    }
    std::optional<std::string> next;
    if (items->size() == limit) {
        const auto last = from_json<notification_document>(items->back(), strictness::stored);
        const auto place = last ? place_of_message(last->id) : std::nullopt;
        if (place && place->number > view.unread.front()) {
            next = std::to_string(place->number);
        }
    }
    return net::list_body(*items, next);
}

expected<std::string> whole_page(const runtime::services& s, const request& r, const entity_address& inbox,
                                 const inbox_view& view, std::size_t limit) {
    const auto page = storage::read_items(
        *s.store, {inbox, std::string(collection), true, limit, std::string(r.query_value("cursor").value_or(""))});
    if (!page) {
        return page.error();
    }
    std::vector<std::string> items;
    for (const auto& json : page->items) {
        auto one = from_json<notification_document>(json, strictness::stored);
        if (!one) {
            return one.error();
        }
        const auto place = place_of_message(one->id);
        one->read = !place || !std::ranges::binary_search(view.unread, place->number);
        items.push_back(to_json(*one));
    }
    return net::list_body(items, page->next_cursor);
}

void list(const runtime::services& s, const request& r, const responder& respond) {
    const auto inbox = own_inbox(r);
    const auto limit = inbox ? net::page_limit(r) : expected<std::size_t>(inbox.error());
    const auto view = limit ? read_inbox(s, *inbox) : expected<inbox_view>(limit.error());
    auto body = !view                                            ? expected<std::string>(view.error())
                : r.query_value("unread").value_or("") == "true" ? unread_page(s, r, *inbox, *view, *limit)
                                                                 : whole_page(s, r, *inbox, *view, *limit);
    respond(body ? net::response{.body = std::move(*body)} : net::to_response(body.error(), r));
}

template <class Show>
net::handler read(const runtime::services& s, Show show) {
    return [&s, show](const request& r, const responder& respond) {
        const auto inbox = own_inbox(r);
        const auto view = inbox ? read_inbox(s, *inbox) : expected<inbox_view>(inbox.error());
        respond(view ? net::response{.body = show(*view)} : net::to_response(view.error(), r));
    };
}

/// A command to the caller's inbox; the answer is what `show` makes of it.
template <class Show>
net::handler change(const runtime::services& s, net::to_command make, Show show) {
    return [&s, make = std::move(make), show](request r, responder respond) {
        const auto inbox = own_inbox(r);
        auto payload = inbox ? make(r) : expected<net::command_payload>(inbox.error());
        auto c = payload ? net::make_command(r, *inbox, payload->type, std::move(payload->payload))
                         : expected<runtime::command>(payload.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        s.submit(std::move(*c), [r = std::move(r), show, respond = std::move(respond)](const runtime::reply& answer) {
            const auto view = answer ? from_json<inbox_view>(answer->document, strictness::stored)
                                     : expected<inbox_view>(answer.error());
            respond(view ? net::response{.body = show(*view)} : net::to_response(view.error(), r));
        });
    };
}

expected<net::command_payload> one_read(const request& r) {
    const auto id = parse_uuid(r.param("id"));
    const auto inbox = own_inbox(r);
    const auto place = id && inbox ? place_of_message(*id) : std::nullopt;
    if (!place || message_id(inbox->id, place->number) != *id) {
        return problem{code::not_found, "There is no notification '" + std::string(r.param("id")) +
                                            "' for you. See GET /notifications."};
    }
    return net::command_payload{"mark_read", to_json(mark_read{place->number})};
}

/// What the node can do of it.
expected<net::command_payload> wanted_preferences(const request& r, const notification_desk& desk) {
    const auto wanted = from_json<notification_preferences>(r.body, strictness::input);
    const auto possible = wanted ? desk.check(*wanted, r.who.name) : expected<void>(wanted.error());
    return possible ? expected<net::command_payload>(
                          net::command_payload{"set_preferences", to_json(desk.completed(*wanted))})
                    : possible.error();
}

template <class Command>
expected<net::command_payload> for_parcel(std::string_view type, const request& r) {
    const auto id = parse_uuid(r.param("id"));
    return id ? expected<net::command_payload>(net::command_payload{std::string(type), to_json(Command{*id})})
              : problem{code::not_found, "There is no dead letter '" + std::string(r.param("id")) +
                                             "'. See GET /notification-dead-letters."};
}

/// There are never more than `undelivered_max`: newest first, by how many were shown.
void list_undelivered(const runtime::services& s, const request& r, const responder& respond) {
    const auto inbox = own_inbox(r);
    const auto limit = inbox ? net::page_limit(r) : expected<std::size_t>(inbox.error());
    const auto view = limit ? read_inbox(s, *inbox) : expected<inbox_view>(limit.error());
    const auto cursor = r.query_value("cursor");
    const auto skipped = !view    ? expected<std::uint64_t>(view.error())
                         : cursor ? number_in_cursor(*cursor)
                                  : expected<std::uint64_t>(0);
    if (!skipped) {
        return respond(net::to_response(skipped.error(), r));
    }
    const auto all = view->undelivered.value_or(std::vector<undelivered_document>{});
    std::vector<std::string> items;
    for (auto at = *skipped; at < all.size() && items.size() < *limit; ++at) {
        items.push_back(to_json(all[all.size() - 1 - at]));
    }
    const auto end = *skipped + items.size();
    respond(net::response{
        .body = net::list_body(items, end < all.size() ? std::optional(std::to_string(end)) : std::nullopt)});
}

void show_secret(const runtime::services& s, const notification_desk& desk, const request& r,
                 const responder& respond) {
    const auto inbox = own_inbox(r);
    const auto view = inbox ? read_inbox(s, *inbox) : expected<inbox_view>(inbox.error());
    const auto secret = view ? desk.webhook_secret(*inbox, view->preferences) : expected<std::string>(view.error());
    respond(secret ? net::response{.body = to_json(webhook_secret_document{*secret})}
                   : net::to_response(secret.error(), r));
}

std::string summary(const inbox_view& v) { return to_json(summary_of(v)); }
std::string preferences(const inbox_view& v) { return to_json(v.preferences); }

} // namespace

std::vector<net::route> notification_routes(const runtime::services& s, const notification_desk& desk) {
    const auto route = [](verb v, std::string path, std::string operation, std::string text, net::body_type reply,
                          net::handler run) {
        return net::route{.verb = v,
                          .path = std::move(path),
                          .operation = std::move(operation),
                          .summary = std::move(text),
                          .tag = tag,
                          .permission = v == verb::get ? "self:read" : "self:write",
                          .reply = std::move(reply),
                          .errors = {code::forbidden},
                          .run = std::move(run)};
    };
    const auto summarized = net::reply_of<inbox_document>("inbox");
    const auto preferred = net::reply_of<notification_preferences>("notification_preferences");
    std::vector<net::route> out;
    out.push_back(route(verb::get, "/notifications", "list_notifications",
                        "Lists what you were told, newest first: mentions, assignments, work that ended.",
                        page_of<notification_document>("notification_list"),
                        [&s](const request& r, const responder& respond) { list(s, r, respond); }));
    out.back().query = net::page_parameters();
    out.back().query.push_back({"unread", "Only those that you have not read.", R"({"type":"boolean"})"});
    out.push_back(route(verb::get, "/notifications/summary", "get_notification_summary", "How many you have not read.",
                        summarized, read(s, summary)));
    out.push_back(route(verb::put, "/notifications/{id}/read", "read_notification", "Marks one as read.", summarized,
                        change(s, one_read, summary)));
    out.back().errors.push_back(code::not_found);
    out.push_back(route(verb::post, "/notifications/mark-all-read", "read_all_notifications", "Marks all as read.",
                        summarized, change(s, net::empty_command("mark_all_read"), summary)));
    out.push_back(route(verb::get, "/notifications/preferences", "get_notification_preferences",
                        "What you want to be told.", preferred, read(s, preferences)));
    out.push_back(route(verb::put, "/notifications/preferences", "put_notification_preferences",
                        "Says what you want to be told.", preferred,
                        change(
                            s, [&desk](const request& r) { return wanted_preferences(r, desk); }, preferences)));
    out.back().body = net::body_of<notification_preferences>("notification_preferences");
    out.push_back(route(verb::get, "/notifications/webhook-secret", "get_webhook_secret",
                        "With what your webhooks are signed (`Troupe-Signature`).",
                        net::reply_of<webhook_secret_document>("webhook_secret"),
                        [&s, &desk](const request& r, const responder& respond) { show_secret(s, desk, r, respond); }));
    out.back().permission = "self:write"; // who has it can make up notifications
    out.push_back(route(verb::get, "/notification-dead-letters", "list_notification_dead_letters",
                        "Lists what could not be delivered by e-mail or webhook, newest first.",
                        page_of<undelivered_document>("notification_dead_letter_list"),
                        [&s](const request& r, const responder& respond) { list_undelivered(s, r, respond); }));
    out.back().query = net::page_parameters();
    out.push_back(route(verb::post, "/notification-dead-letters/{id}/retry", "retry_notification_dead_letter",
                        "Has it delivered again.", summarized,
                        change(
                            s, [](const request& r) { return for_parcel<retry_parcel>("retry_parcel", r); }, summary)));
    out.back().errors.push_back(code::not_found);
    out.push_back(route(verb::del, "/notification-dead-letters/{id}", "delete_notification_dead_letter",
                        "Gives it up for good.", summarized,
                        change(
                            s, [](const request& r) { return for_parcel<drop_parcel>("drop_parcel", r); }, summary)));
    out.back().errors.push_back(code::not_found);
    return out;
}

} // namespace troupe::actors
