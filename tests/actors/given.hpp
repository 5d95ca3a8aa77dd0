#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// given(events).when(command) for pure models. Every command, event and state passes through its stored form on the
/// way, so that a member that is not described shows as wrong behaviour.
namespace troupe::actors::test {

/// The n-th fixed id.
inline uuid id_of(std::uint8_t n) {
    uuid id;
    id.bytes[0] = 0x01;
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    id.bytes[15] = n;
    return id;
}

inline const uuid organization = id_of(200);

template <class Message>
Message through_json(const Message& m) {
    const auto text = to_json(m);
    auto decoded = from_json<Message>(text, strictness::stored);
    BOOST_REQUIRE_MESSAGE(decoded, "cannot be read back: " << text);
    BOOST_TEST_REQUIRE(to_json(*decoded) == text);
    return std::move(*decoded);
}

template <class Variant>
Variant through_names(const Variant& m) {
    const auto [name, payload] = encode_named(m);
    auto decoded = decode_named<Variant>(name, payload, strictness::stored);
    BOOST_REQUIRE_MESSAGE(decoded, "cannot be read back: " << name << " " << payload);
    BOOST_TEST_REQUIRE(decoded->index() == m.index());
    return std::move(*decoded);
}

template <class Model>
class entity {
public:
    using state_type = typename Model::state;
    using command = typename Model::command;
    using event = typename Model::event;

    explicit entity(uuid id = id_of(1), std::vector<event> history = {}) : id_(id) { fold(history); }

    /// Decides; what was decided becomes state. The events, or the refusal.
    expected<std::vector<event>> when(const command& c) {
        runtime::context context{{organization, std::string(Model::kind), id_},
                                 version_,
                                 now,
                                 principal,
                                 [this] { return id_of(++made_); },
                                 even_since,
                                 quota};
        auto decided = Model::decide(state_, through_names(c), context);
        if (decided) {
            last_ = *decided;
            fold(*decided);
        }
        return decided;
    }

    /// For commands that have to be accepted.
    std::vector<event> accepted(const command& c) {
        auto decided = when(c);
        BOOST_REQUIRE_MESSAGE(decided, "refused: " << decided.error().detail);
        return std::move(*decided);
    }

    /// For commands that have to be refused.
    problem refused(const command& c) {
        const auto before = to_json(state_);
        auto decided = when(c);
        BOOST_REQUIRE_MESSAGE(!decided, "was accepted");
        BOOST_TEST(to_json(state_) == before);
        BOOST_TEST(!decided.error().detail.empty());
        return decided.error();
    }

    void fold(const std::vector<event>& events) {
        items_.clear();
        for (const auto& each : events) {
            const auto e = through_names(each);
            const runtime::event_context at{id_, ++version_, now, principal};
            state_ = through_json(Model::apply(std::move(state_), e, at));
            if constexpr (requires { Model::items(state_, e, at); }) {
                for (auto& item : Model::items(state_, e, at)) {
                    items_.push_back(std::move(item));
                }
            }
        }
    }

    [[nodiscard]] const state_type& state() const { return state_; }
    [[nodiscard]] std::uint64_t version() const { return version_; }
    [[nodiscard]] runtime::entity_view view() const { return Model::view(state_, {id_, version_}); }
    [[nodiscard]] std::string answer() const { return Model::answer(state_, last_, {id_, version_}); }
    [[nodiscard]] const std::vector<runtime::item>& items() const { return items_; }

    template <class Document>
    [[nodiscard]] Document document() const {
        const auto shown = view();
        BOOST_TEST_REQUIRE(shown.exists);
        return *from_json<Document>(shown.document, strictness::input);
    }

    /// Filters of the index keys.
    [[nodiscard]] std::vector<std::string> filters() const {
        std::vector<std::string> out;
        for (const auto& key : view().keys) {
            out.push_back(key.filter);
        }
        return out;
    }

    /// Keys of all that is owed, in order.
    [[nodiscard]] std::vector<std::string> owed() const {
        std::vector<std::string> keys;
        for (const auto& effect : Model::resume(state_)) {
            keys.push_back(std::visit([](const auto& each) { return each.key; }, effect));
        }
        return keys;
    }

    /// The owed command with that key, decoded.
    template <class Message>
    std::pair<entity_address, Message> sent(std::string_view key) const {
        for (const auto& effect : Model::resume(state_)) {
            const auto* send = std::get_if<runtime::send_effect>(&effect);
            if (send && send->key == key) {
                BOOST_TEST(send->type == wire_name<Message>::value);
                return {send->to, *from_json<Message>(send->payload, strictness::stored)};
            }
        }
        BOOST_FAIL("nothing is owed under " << key);
        return {};
    }

    timestamp now{1'800'000'000'000};
    timestamp even_since; ///< Of the context; by default there was never anything uneven.
    std::string principal = "key/tester";
    std::function<expected<void>(std::string_view, std::int64_t, std::int64_t)>
        quota; ///< Of the context; by default no limits.

private:
    uuid id_;
    state_type state_{};
    std::uint64_t version_ = 0;
    std::uint8_t made_ = 100;
    std::vector<event> last_;
    std::vector<runtime::item> items_;
};

/// The wire names of events, for short expectations.
template <class Event>
std::vector<std::string> names_of(const std::vector<Event>& events) {
    std::vector<std::string> names;
    for (const auto& e : events) {
        names.emplace_back(encode_named(e).first);
    }
    return names;
}

using texts = std::vector<std::string>;

} // namespace troupe::actors::test
