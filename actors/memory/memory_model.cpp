#include "actors/memory/memory_model.hpp"

#include "actors/common/model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::actors {
namespace {

using events = std::vector<memory_model::event>;
using decision_result = expected<events>;

problem bad(const std::string& pointer, std::string what) { return {code::invalid_request, what, {{pointer, what}}}; }

expected<void> check_key(const std::string& key) {
    const bool plain = std::ranges::none_of(key, [](unsigned char c) { return c < ' ' || c == 0x7f; });
    return !key.empty() && key.size() <= note_key_bytes_max && plain
               ? expected<void>()
               : bad("/key",
                     fmt::format("The key of a note has 1 to {} bytes and no control characters.", note_key_bytes_max));
}

decision_result decide(const memory_state& s, const put_note& c) {
    if (auto good = check_key(c.key); !good) {
        return good.error();
    }
    if (c.text.empty() || c.text.size() > note_bytes_max) {
        return bad("/text", fmt::format("A note has 1 to {} bytes, and this one {}.", note_bytes_max, c.text.size()));
    }
    const auto there = s.notes.find(c.key);
    if (there != s.notes.end() && there->second.text == c.text) {
        return events{};
    }
    if (there == s.notes.end() && s.notes.size() >= memory_notes_max) {
        return problem{code::conflict,
                       fmt::format("{} notes are remembered, and more cannot be. Remove some, or put them together.",
                                   memory_notes_max)};
    }
    return events{note_put{c.key, c.text}};
}

decision_result decide(const memory_state& s, const remove_note& c) {
    return s.notes.contains(c.key) ? events{note_removed{c.key}}
                                   : decision_result(problem{code::not_found, "There is no such note."});
}

} // namespace

expected<events> memory_model::decide(const state& s, const command& c, const runtime::context&) {
    return std::visit([&](const auto& each) { return actors::decide(s, each); }, c);
}

memory_state memory_model::apply(state s, const event& e, const runtime::event_context& at) {
    if (at.version == 1) {
        s.created_at = at.time;
    }
    std::visit(visitor{[&](const note_put& x) {
                           s.notes[x.key] = {x.key, x.text, std::string(at.principal), at.time};
                       },
                       [&](const note_removed& x) { s.notes.erase(x.key); }},
               e);
    return s;
}

std::vector<runtime::effect> memory_model::resume(const state&) { return {}; }

runtime::entity_view memory_model::view(const state& s, const runtime::view_context&) {
    memory_document out;
    for (const auto& [key, note] : s.notes) {
        out.notes.push_back(note);
    }
    return {to_json(out), {{"", runtime::sort_key(s.created_at)}}, true};
}

} // namespace troupe::actors
