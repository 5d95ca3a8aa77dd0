// What an entity stores changes from one release to the next, while the nodes of a cluster get the new program one
// after the other. Built with GUESTBOOK_RELEASE=1 it is the old program, with 2 the new one.
//
// Release 2 keeps a guest's mood, and can close a book. Release 1 cannot read either, so both are the feature "moods":
// it is on when all nodes run release 2. Until then moods are left out, and closing is refused.
#include "actors/application/serve.hpp"
#include "net/http/handlers.hpp"

using namespace troupe;

struct sign {
    std::string guest;
    std::string mood;
    static constexpr field_rule rules[] = {{.name = "guest", .required = true, .min = 1, .max = 100, .doc = "Who."},
                                           {.name = "mood", .max = 100, .doc = "How they liked it."}};
};
BOOST_DESCRIBE_STRUCT(sign, (), (guest, mood))

struct close_book {};
BOOST_DESCRIBE_STRUCT(close_book, (), ())

namespace release_1 {

struct guest_signed {
    std::string guest;
};
BOOST_DESCRIBE_STRUCT(guest_signed, (), (guest))

struct book {
    std::vector<std::string> guests;
};
BOOST_DESCRIBE_STRUCT(book, (), (guests))

} // namespace release_1

namespace release_2 {

constexpr std::string_view moods = "moods";

struct entry {
    std::string guest;
    std::string mood;
};
BOOST_DESCRIBE_STRUCT(entry, (), (guest, mood))

struct guest_signed {
    static constexpr int version = 2;
    static constexpr std::string_view feature = moods;
    using previous = release_1::guest_signed;
    std::string guest;
    std::string mood;
};
BOOST_DESCRIBE_STRUCT(guest_signed, (), (guest, mood))

/// New as a whole: nothing stands for it where it is not known.
struct book_closed {
    static constexpr std::string_view feature = moods;
};
BOOST_DESCRIBE_STRUCT(book_closed, (), ())

struct book {
    static constexpr int version = 2;
    static constexpr std::string_view feature = moods;
    using previous = release_1::book;
    std::vector<entry> entries;
    bool closed = false;
};
BOOST_DESCRIBE_STRUCT(book, (), (entries, closed))

release_1::guest_signed downcast(const guest_signed& now) { return {now.guest}; }

/// While the feature is off there are neither moods nor closed books, so this loses nothing.
release_1::book downcast(const book& now) {
    release_1::book out;
    for (const auto& one : now.entries) {
        out.guests.push_back(one.guest);
    }
    return out;
}

} // namespace release_2

namespace release_1 { // upcasters stand beside what they read

release_2::guest_signed upcast(guest_signed old) { return {std::move(old.guest), ""}; }

release_2::book upcast(book old) {
    release_2::book out;
    for (auto& guest : old.guests) {
        out.entries.push_back({std::move(guest), ""});
    }
    return out;
}

} // namespace release_1

TROUPE_NAMED(sign)
TROUPE_NAMED(close_book)
TROUPE_NAMED(release_1::guest_signed)
TROUPE_NAMED(release_2::guest_signed)
TROUPE_NAMED(release_2::book_closed)

namespace release_1 {

struct guestbook_model {
    static constexpr std::string_view kind = "guestbook";
    using state = book;
    using command = std::variant<sign>;
    using event = std::variant<guest_signed>;

    static expected<std::vector<event>> decide(const state&, const command& c, const runtime::context&) {
        return std::vector<event>{guest_signed{std::get<sign>(c).guest}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        s.guests.push_back(std::get<guest_signed>(e).guest);
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
};

} // namespace release_1

namespace release_2 {

struct guestbook_model {
    static constexpr std::string_view kind = "guestbook";
    using state = book;
    using command = std::variant<sign, close_book>;
    using event = std::variant<guest_signed, book_closed>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context&) {
        if (s.closed) {
            return problem{code::conflict, "This book is closed"};
        }
        if (const auto* one = std::get_if<sign>(&c)) {
            return std::vector<event>{guest_signed{one->guest, one->mood}};
        }
        return std::vector<event>{book_closed{}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        if (const auto* one = std::get_if<guest_signed>(&e)) {
            s.entries.push_back({one->guest, one->mood});
        } else {
            s.closed = true;
        }
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) { return {to_json(s)}; }
};

} // namespace release_2

#if GUESTBOOK_RELEASE == 1
using release_1::guestbook_model;
#else
using release_2::guestbook_model;
#endif

std::vector<net::route> routes(const runtime::services& s) {
    std::vector<net::route> out{{.verb = net::verb::post,
                                 .path = "/guestbooks/{id}/sign",
                                 .operation = "sign_guestbook",
                                 .permission = "guestbook:write",
                                 .body = net::body_of<sign>("sign"),
                                 .reply = net::reply_of<guestbook_model::state>("guestbook"),
                                 .errors = {code::conflict},
                                 .run = net::change_entity(s, "guestbook", net::body_as("sign"))},
                                {.path = "/guestbooks/{id}",
                                 .operation = "get_guestbook",
                                 .permission = "guestbook:read",
                                 .reply = net::reply_of<guestbook_model::state>("guestbook"),
                                 .run = net::read_entity(s, "guestbook")}};
#if GUESTBOOK_RELEASE == 2
    out.push_back({.verb = net::verb::post,
                   .path = "/guestbooks/{id}/close",
                   .operation = "close_guestbook",
                   .permission = "guestbook:write",
                   .body = net::body_of<close_book>("close_book"),
                   .reply = net::reply_of<guestbook_model::state>("guestbook"),
                   .run = net::change_entity(s, "guestbook", net::body_as("close_book"))});
#endif
    return out;
}

int main(int argc, char** argv) {
    actors::extensions own{.kinds = {runtime::make_kind<guestbook_model>()}, .routes = routes};
#if GUESTBOOK_RELEASE == 2
    own.features = {std::string(release_2::moods)};
#endif
    return actors::serve({argv + 1, argv + argc}, TROUPE_RUNNER, std::move(own));
}
