#include "tests/runtime/counter.hpp"

namespace troupe::test {

namespace {

template <class... Lambdas>
struct visitor : Lambdas... {
    using Lambdas::operator()...;
};
template <class... Lambdas>
visitor(Lambdas...) -> visitor<Lambdas...>;

} // namespace

expected<std::vector<counter_model::event>> counter_model::decide(const state& s, const command& c,
                                                                  const runtime::context& ctx) {
    using events = std::vector<event>;
    return std::visit(
        visitor{
            [&](const add& x) -> expected<events> {
                if (x.by == 0) {
                    return problem{code::conflict, "adding nothing changes nothing"};
                }
                return events{added{x.by}};
            },
            [&](const add_later& x) -> expected<events> {
                return events{timer_set{ctx.now + x.after_ms, x.by}};
            },
            [&](const timer_over&) -> expected<events> {
                if (s.timer && s.timer->by == bad_timer) {
                    throw std::runtime_error("the timer's command is broken");
                }
                return s.timer ? events{timer_cleared{}, added{s.timer->by}} : events{};
            },
            [&](const tell& x) -> expected<events> {
                return events{telling{x.to, x.by}};
            },
            [&](const test::told& x) -> expected<events> { return s.pending ? events{telling_over{x.ok}} : events{}; },
            [&](const work& x) -> expected<events> { return events{work_wanted{x.what}}; },
            [&](const work_done& x) -> expected<events> {
                if (x.result == "crash") {
                    throw 42; // not even an exception of the standard library
                }
                return s.wanted ? events{work_over{x.result}} : events{};
            },
            [&](const burst& x) -> expected<events> {
                const auto what = std::string(static_cast<std::size_t>(x.bytes), 'x');
                return events(static_cast<std::size_t>(x.count),
                              x.bytes == 0 ? event(added{1}) : event(work_over{what}));
            },
            [&](const crash&) -> expected<events> { throw std::runtime_error("the model is broken"); }},
        c);
}

counter_state counter_model::apply(state s, const event& e, const runtime::event_context& ctx) {
    if (const auto* x = std::get_if<added>(&e); x && x->by == bad_apply) {
        throw std::runtime_error("apply is broken");
    }
    if (s.events++ == 0) {
        s.created_at = ctx.time;
    }
    std::visit(visitor{[&](const added& x) { s.total += x.by; }, [&](const timer_set& x) { s.timer = x; },
                       [&](const timer_cleared&) { s.timer.reset(); }, [&](const telling& x) { s.pending = x; },
                       [&](const telling_over& x) {
                           s.pending.reset();
                           s.told += x.ok ? 1 : 0;
                       },
                       [&](const work_wanted& x) { s.wanted = x.what; },
                       [&](const work_over& x) {
                           s.wanted.reset();
                           s.result = x.result;
                       }},
               e);
    return s;
}

std::vector<runtime::effect> counter_model::resume(const state& s) {
    std::vector<runtime::effect> out;
    if (s.total >= bad_resume && s.total < bad_resume + 100) {
        throw std::runtime_error("resume is broken");
    }
    if (s.timer) {
        out.push_back(runtime::timer_effect{"later", s.timer->due, "timer_over", "{}"});
    }
    if (s.pending) {
        out.push_back(runtime::send_effect{"tell/" + std::to_string(s.told),
                                           {system_organization, "counter", s.pending->to},
                                           "add",
                                           to_json(add{s.pending->by}),
                                           "told"});
    }
    if (s.wanted) {
        out.push_back(runtime::perform_effect{"work/" + *s.wanted, "work", "{}"});
    }
    return out;
}

runtime::entity_view counter_model::view(const state& s, const runtime::view_context&) {
    if (s.total == bad_view) {
        throw std::runtime_error("view is broken");
    }
    return {to_json(s),
            {{"", runtime::sort_key(s.created_at)},
             {s.total % 2 == 0 ? "parity=even" : "parity=odd", runtime::sort_key(s.created_at)}},
            true};
}

std::vector<runtime::item> counter_model::items(const state& after, const event& e, const runtime::event_context& ctx) {
    if (const auto* x = std::get_if<added>(&e)) {
        return {{"additions", runtime::sort_key(ctx.version),
                 "{\"by\":" + std::to_string(x->by) + ",\"total\":" + std::to_string(after.total) + "}"}};
    }
    return {};
}

} // namespace troupe::test
