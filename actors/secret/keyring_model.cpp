#include "actors/secret/keyring_model.hpp"

#include "actors/common/model.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

using events = std::vector<keyring_model::event>;
using decision_result = expected<events>;

decision_result decide(const keyring_state& s, const add_data_keys& c) {
    auto next = static_cast<std::uint32_t>(s.keys.size());
    const bool follows = std::ranges::all_of(c.keys, [&](const wrapped_key& k) { return k.number == next++; });
    if (!follows || c.keys.empty() || (s.keys.empty() && c.keys.size() < 2)) {
        return problem{code::conflict, "Another data key was made at this moment. Look at the keys, and repeat the "
                                       "rotation if it is still wanted."};
    }
    if (next > data_keys_max) {
        return problem{code::conflict, "The organization has " + std::to_string(s.keys.size()) +
                                           " data keys, and may have no more. Rotate the master key instead."};
    }
    return events{data_keys_added{c.keys}};
}

decision_result decide(const keyring_state& s, const rewrap_data_keys& c) {
    data_keys_rewrapped out;
    for (const auto& key : c.keys) {
        if (key.number < s.keys.size() && s.keys[key.number].master != key.master) {
            out.keys.push_back(key);
        }
    }
    return out.keys.empty() ? events{} : events{std::move(out)};
}

decision_result decide(const keyring_state& s, const finish_rotation& c) {
    return c.key > s.finished && c.key <= s.current() ? events{rotation_finished{c.key}} : events{};
}

} // namespace

entity_address keyring_address(const uuid& organization) {
    return {system_organization, std::string(keyring_model::kind), organization};
}

expected<events> keyring_model::decide(const state& s, const command& c, const runtime::context&) {
    return std::visit([&](const auto& each) { return actors::decide(s, each); }, c);
}

keyring_state keyring_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit(visitor{[&](const data_keys_added& x) {
                           if (s.keys.empty()) {
                               s.organization = at.id;
                               s.created_at = at.time;
                           }
                           s.keys.insert(s.keys.end(), x.keys.begin(), x.keys.end());
                       },
                       [&](const data_keys_rewrapped& x) {
                           for (const auto& key : x.keys) {
                               if (key.number < s.keys.size()) {
                                   s.keys[key.number] = key;
                               }
                           }
                       },
                       [&](const rotation_finished& x) { s.finished = x.key; }},
               e);
    return s;
}

std::vector<runtime::effect> keyring_model::resume(const state& s) {
    if (!s.rotating()) {
        return {};
    }
    return {runtime::perform_effect{std::string(reseal_effect) + "/" + std::to_string(s.current()),
                                    std::string(reseal_effect)}};
}

runtime::entity_view keyring_model::view(const state& s, const runtime::view_context&) {
    return {to_json(s), {{"", runtime::sort_key(s.created_at)}}, !s.keys.empty()};
}

} // namespace troupe::actors
