#include "actors/common/debts.hpp"

#include "schemas/erasure_messages.hpp"

#include "runtime/entity/entity.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::actors {

std::string key_of(const debt& d) { return d.type + "/" + std::to_string(d.number); }

const debt* find_debt(const debts& all, std::string_view key) {
    const auto found = std::ranges::find_if(all.open, [&](const debt& d) { return key_of(d) == key; });
    return found == all.open.end() ? nullptr : &*found;
}

const debt* find_debt(const debts& all, std::uint64_t number) {
    const auto found = std::ranges::find(all.open, number, &debt::number);
    return found == all.open.end() ? nullptr : &*found;
}

void owe_payload(debts& all, std::string_view kind, const uuid& to, std::string_view type, std::string payload) {
    all.open.push_back({++all.incurred, std::string(kind), to, std::string(type), {std::move(payload)}});
}

void clear_debt(debts& all, std::uint64_t number) {
    std::erase_if(all.open, [&](const debt& d) { return d.number == number; });
}

void pay_before_erasure(debts& all, std::uint64_t number, bool closing, const uuid& id) {
    const auto* paid = find_debt(all, number);
    const bool was_last = closing && paid != nullptr && paid->kind != erasure_kind && all.open.size() == 1;
    clear_debt(all, number);
    if (was_last) {
        owe(all, erasure_kind, id, begin_erasure{});
    }
}

std::vector<runtime::effect> effects_of(const debts& all, const uuid& organization) {
    std::vector<runtime::effect> effects;
    std::set<std::pair<std::string_view, uuid>> receivers;
    for (const auto& d : all.open) {
        if (receivers.emplace(d.kind, d.to).second) {
            effects.emplace_back(runtime::send_effect{key_of(d),
                                                      {organization, d.kind, d.to},
                                                      d.type,
                                                      d.payload.text,
                                                      std::string(wire_name<debt_settled>::value)});
        }
    }
    return effects;
}

debt_cleared cleared(const debt& d, const debt_settled& answer) {
    return {d.number, answer.ok, answer.code, answer.detail};
}

} // namespace troupe::actors
