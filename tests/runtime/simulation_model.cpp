#include "tests/runtime/simulation_model.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace troupe::test {

namespace {

template <class... Lambdas>
struct visitor : Lambdas... {
    using Lambdas::operator()...;
};
template <class... Lambdas>
visitor(Lambdas...) -> visitor<Lambdas...>;

constexpr std::string_view tell_prefix = "tell/";

/// A cancellation may come before what it is about.
bool is_cancelled(const ledger_state& s, std::int64_t number) {
    return std::ranges::find(s.cancelled, number) != s.cancelled.end();
}

} // namespace

std::function<bool(std::string_view)>& decision_crashes() {
    static std::function<bool(std::string_view)> asked;
    return asked;
}

expected<std::vector<ledger_model::event>> ledger_model::decide(const state& s, const command& c,
                                                                const runtime::context& ctx) {
    using events = std::vector<event>;
    if (const auto& asked = decision_crashes()) {
        const auto [type, payload] = encode_named(c);
        if (asked(to_string(ctx.self.id) + std::string(type) + payload)) {
            throw std::runtime_error("a simulated crash");
        }
    }
    const problem refused{code::conflict, "refused, as it was told to"};
    return std::visit(
        visitor{[&](const note& x) -> expected<events> {
                    if (x.refuse) {
                        return refused;
                    }
                    events out;
                    for (std::int64_t part = 0; part < x.parts; ++part) {
                        out.push_back(noted{x.number, part, x.parts});
                    }
                    return out;
                },
                [&](const tell_other& x) -> expected<events> {
                    return events{telling_other{x.number, x.to, x.refuse}};
                },
                [&](const hear& x) -> expected<events> {
                    return x.refuse ? expected<events>(refused) : events{heard{x.number}};
                },
                [&](const tell_settled& x) -> expected<events> {
                    return events{told_other{std::stoll(x.key.substr(tell_prefix.size())), x.ok}};
                },
                [&](const remind& x) -> expected<events> {
                    return events{remind_set{x.number, ctx.now + x.after_ms, x.explode}};
                },
                [&](const ring& x) -> expected<events> {
                    if (x.explode) {
                        throw std::runtime_error("as it was told to");
                    }
                    return events{rang{x.number}};
                },
                [&](const perform& x) -> expected<events> {
                    return events{performing{x.number, x.parts, x.survives, x.tells, x.explode}};
                },
                [&](const take_outcome& x) -> expected<events> {
                    if (x.explode) {
                        throw std::runtime_error("as it was told to");
                    }
                    return is_cancelled(s, x.number) ? events{} : events{performed{x.number, x.part, x.attempt}};
                },
                [&](const cancel& x) -> expected<events> {
                    return events{cancelled{x.number, x.of}};
                },
                [&](const explode&) -> expected<events> { throw std::runtime_error("as it was told to"); }},
        c);
}

ledger_state ledger_model::apply(state s, const event& e, const runtime::event_context& ctx) {
    if (s.entries.empty()) {
        s.created_at = ctx.time;
    }
    s.entries.push_back(std::visit([](const auto& x) { return x.number; }, e));
    const auto has_number = [&](const auto& x) { return x.number == s.entries.back(); };
    std::visit(visitor{[](const noted&) {}, [](const heard&) {}, [&](const telling_other& x) { s.owed.push_back(x); },
                       [&](const told_other&) { std::erase_if(s.owed, has_number); },
                       [&](const remind_set& x) { s.reminders.push_back(x); },
                       [&](const rang&) { std::erase_if(s.reminders, has_number); },
                       [&](const performing& x) {
                           if (!is_cancelled(s, x.number)) {
                               s.works.push_back(x);
                           }
                       },
                       [&](const performed& x) {
                           std::erase_if(s.works, [&](const performing& w) {
                               return w.number == x.number && w.parts == x.part + 1;
                           });
                       },
                       [&](const cancelled& x) {
                           std::erase_if(s.works, [&](const performing& w) { return w.number == x.of; });
                           s.cancelled.push_back(x.of);
                       }},
               e);
    return s;
}

/// The oldest message to each other, so that they arrive in order; all reminders; all works.
std::vector<runtime::effect> ledger_model::resume(const state& s) {
    std::vector<runtime::effect> out;
    std::set<uuid> addressed;
    for (const auto& x : s.owed) {
        if (addressed.insert(x.to).second) {
            out.push_back(runtime::send_effect{std::string(tell_prefix) + std::to_string(x.number),
                                               {system_organization, std::string(kind), x.to},
                                               "hear",
                                               to_json(hear{x.number, x.refuse}),
                                               "tell_settled"});
        }
    }
    for (const auto& x : s.reminders) {
        out.push_back(runtime::timer_effect{"remind/" + std::to_string(x.number), x.due, "ring",
                                            to_json(ring{x.number, x.explode})});
    }
    for (const auto& x : s.works) {
        out.push_back(runtime::perform_effect{"perform/" + std::to_string(x.number), "work", to_json(x), x.survives});
    }
    return out;
}

runtime::entity_view ledger_model::view(const state& s, const runtime::view_context&) {
    return {to_json(s),
            {{"", runtime::sort_key(s.created_at)},
             {s.entries.size() % 2 == 0 ? "length=even" : "length=odd", runtime::sort_key(s.created_at)}},
            true};
}

std::vector<runtime::item> ledger_model::items(const state& after, const event& e, const runtime::event_context& ctx) {
    if (const auto* x = std::get_if<noted>(&e)) {
        return {
            {"notes", runtime::sort_key(ctx.version),
             "{\"number\":" + std::to_string(x->number) + ",\"length\":" + std::to_string(after.entries.size()) + "}"}};
    }
    return {};
}

} // namespace troupe::test
