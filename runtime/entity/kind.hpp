#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/versions.hpp"
#include "storage/blob_hash.hpp"
#include "storage/record.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// The erased form of a model: what the host works with. No CAF in here.
namespace troupe::runtime {

/// What one command may become: its events are decided, written and answered as a whole.
inline constexpr std::size_t command_events_max = 10'000;
inline constexpr std::size_t command_event_bytes_max = 16 * limits::mib;
static_assert(command_event_bytes_max >= limits::event_bytes_max);

struct encoded_event {
    std::string type;
    std::uint16_t version = 1;
    std::string payload;
};

/// What an accepted command gave. Its events are already applied to the instance.
struct decided {
    std::vector<encoded_event> events;
    std::string answer;                  ///< The document that the caller gets.
    std::vector<usage_amount> used = {}; ///< By the events.
};

/// Work bound to the state at the moment it became due; runs on a thread of its own.
using bound_effect = std::function<std::vector<self_command>(effect_context&)>;

/// One entity in memory: its state and the model's functions. Not thread-safe: its actor owns it.
class entity_instance {
public:
    virtual ~entity_instance() = default;

    /// Decides and applies. Until the events are committed the state is ahead of the journal: nobody may see it.
    virtual expected<decided> handle(const command& c, const context& ctx) = 0;
    /// Applies a stored event. Types that start with '$' are the host's own and change nothing.
    virtual expected<void> replay(const storage::record& r) = 0;
    /// The answer that the command with these events got. The instance stands at the version after the last of them.
    virtual expected<std::string> answer(std::span<const storage::record> events, const view_context& ctx) const = 0;

    /// The state as it is stored while these features are on; null: all are.
    [[nodiscard]] virtual stored_form snapshot(const feature_set* on) const = 0;
    virtual expected<void> restore(std::uint16_t version, std::string_view state) = 0;

    [[nodiscard]] virtual std::vector<effect> resume() const = 0;
    [[nodiscard]] virtual entity_view view(const view_context& ctx) const = 0;
    /// The blobs that the state names, each once, in order. What is no name of a blob is left out.
    [[nodiscard]] virtual std::vector<storage::blob_hash> blobs() const = 0;
    /// What the state holds of what is counted for its organization, in the order of the model, which is the same each
    /// time. Amounts of 0 may be left out.
    [[nodiscard]] virtual std::vector<usage_amount> holds() const = 0;
    /// Whose key seals what is kept of it (storage/key_store.hpp); nil: the organization's.
    [[nodiscard]] virtual uuid subject() const = 0;
    /// The items of the events applied since the last call.
    virtual std::vector<item> take_items() = 0;
    /// Nothing when the kind has no performer.
    [[nodiscard]] virtual bound_effect bind(const perform_effect& e) const = 0;
};

/// A registered kind.
struct entity_kind {
    std::string name;
    std::function<std::unique_ptr<entity_instance>()> make;
    bool names_blobs = false; ///< Its model has `blobs`.
    bool has_holds = false;   ///< Its model has `holds`.
};

/// All kinds of a node, by name.
using kind_registry = std::map<std::string, entity_kind, std::less<>>;

namespace detail {

template <class M>
concept has_items = requires(const typename M::state& s, const typename M::event& e, const event_context& c) {
    M::items(s, e, c);
};
template <class M>
concept has_blobs = requires(const typename M::state& s) {
    M::blobs(s);
};
template <class M>
concept has_uses = requires(const typename M::state& s, const typename M::event& e) {
    M::uses(s, e);
};
template <class M>
concept has_holds = requires(const typename M::state& s) {
    M::holds(s);
};
template <class M>
concept has_answer = requires(const typename M::state& s, const std::vector<typename M::event>& e,
                              const view_context& c) {
    M::answer(s, e, c);
};
/// A stored event brought up to date by the chain of its type's versions (schemas/base/versions.hpp). A model whose
/// old events have types that are gone has `upcast(type, version, payload)`, which ends in `read_stored_named`.
template <class M>
expected<typename M::event> decode_event(const storage::record& r) {
    if constexpr (requires { M::upcast(r.type, r.version, r.payload); }) {
        return M::upcast(r.type, r.version, r.payload);
    } else {
        return read_stored_named<typename M::event>(r.type, r.version, r.payload);
    }
}

} // namespace detail

/// A model's performer: does one effect, and says with which commands to its entity it ended.
template <class M>
using performer_of =
    std::function<std::vector<self_command>(const perform_effect&, const typename M::state&, effect_context&)>;

template <class M>
class hosted_model final : public entity_instance {
public:
    using state_type = typename M::state;
    using event_type = typename M::event;

    explicit hosted_model(const performer_of<M>* performer) : performer_(performer) {}

    expected<decided> handle(const command& c, const context& ctx) override {
        auto decoded = decode_named<typename M::command>(c.type, c.payload, strictness::stored);
        if (!decoded) {
            return decoded.error();
        }
        auto events = M::decide(state_, *decoded, ctx);
        if (!events) {
            return events.error();
        }
        if (events->size() > command_events_max) {
            return problem{code::payload_too_large, "the command '" + c.type + "' would become " +
                                                        std::to_string(events->size()) + " events, over the limit of " +
                                                        std::to_string(command_events_max) + "; split it"};
        }
        decided out;
        std::size_t bytes = 0;
        for (auto& e : *events) {
            auto form = store_event(e, ctx.features);
            if (!form) {
                return form.error();
            }
            auto& [type, version, payload] = *form;
            if (payload.size() > limits::event_bytes_max) {
                return problem{code::payload_too_large,
                               "the event '" + type + "' would have " + std::to_string(payload.size()) +
                                   " bytes, over the limit of " + std::to_string(limits::event_bytes_max) +
                                   "; put large contents into files"};
            }
            bytes += payload.size();
            if (bytes > command_event_bytes_max) {
                return problem{code::payload_too_large, "the events of the command '" + c.type + "' would have over " +
                                                            std::to_string(command_event_bytes_max) +
                                                            " bytes; split it, or put large contents into files"};
            }
            out.events.push_back(std::move(*form));
        }
        auto version = ctx.version;
        for (const auto& e : *events) {
            apply(e, {ctx.self.id, ++version, ctx.now, ctx.principal});
            if constexpr (detail::has_uses<M>) {
                for (auto& u : M::uses(state_, e)) {
                    out.used.push_back(std::move(u));
                }
            }
        }
        out.answer = answer_of(*events, {ctx.self.id, version});
        return out;
    }

    expected<void> replay(const storage::record& r) override {
        if (r.type.starts_with('$')) {
            return {};
        }
        auto e = detail::decode_event<M>(r);
        if (!e) {
            return problem{code::quarantined, "event " + std::to_string(r.entity_seq) + " of " + to_string(r.entity) +
                                                  " (" + r.type + ") cannot be read: " + e.error().detail};
        }
        apply(*e, {r.entity.id, r.entity_seq, r.time, r.principal});
        return {};
    }

    expected<std::string> answer(std::span<const storage::record> records, const view_context& ctx) const override {
        std::vector<event_type> events;
        for (const auto& r : records) {
            auto e = detail::decode_event<M>(r);
            if (!e) {
                return e.error();
            }
            events.push_back(std::move(*e));
        }
        return answer_of(events, ctx);
    }

    [[nodiscard]] stored_form snapshot(const feature_set* on) const override {
        if constexpr (troupe::detail::has_feature<state_type>) {
            static_assert(troupe::detail::has_downcast<state_type>, "a state can always be stored");
            auto copy = state_;
            return *store_as(copy, M::kind, on);
        } else {
            return {version_of<state_type>(), troupe::to_json(state_)};
        }
    }

    expected<void> restore(std::uint16_t version, std::string_view state) override {
        auto decoded = read_stored<state_type>(version, state);
        if (!decoded) {
            return decoded.error();
        }
        state_ = std::move(*decoded);
        return {};
    }

    [[nodiscard]] std::vector<effect> resume() const override { return M::resume(state_); }
    [[nodiscard]] entity_view view(const view_context& ctx) const override { return M::view(state_, ctx); }
    std::vector<item> take_items() override { return std::exchange(items_, {}); }

    [[nodiscard]] std::vector<storage::blob_hash> blobs() const override {
        if constexpr (detail::has_blobs<M>) {
            return storage::blob_hashes(M::blobs(state_));
        } else {
            return {};
        }
    }

    [[nodiscard]] std::vector<usage_amount> holds() const override {
        if constexpr (detail::has_holds<M>) {
            return M::holds(state_);
        } else {
            return {};
        }
    }

    [[nodiscard]] uuid subject() const override {
        if constexpr (requires { M::subject(state_); }) {
            return M::subject(state_);
        } else {
            return {};
        }
    }

    [[nodiscard]] bound_effect bind(const perform_effect& e) const override {
        if (!performer_ || !*performer_) {
            return nullptr;
        }
        return [performer = performer_, e, state = state_](effect_context& ctx) { return (*performer)(e, state, ctx); };
    }

private:
    /// The event becomes what all nodes read from it.
    static expected<encoded_event> store_event(event_type& e, const feature_set* on) {
        return std::visit(
            [on](auto& m) -> expected<encoded_event> {
                const auto name = wire_name<std::remove_cvref_t<decltype(m)>>::value;
                auto form = store_as(m, name, on);
                if (!form) {
                    return form.error();
                }
                return encoded_event{std::string(name), form->version, std::move(form->payload)};
            },
            e);
    }

    void apply(const event_type& e, const event_context& ctx) {
        state_ = M::apply(std::move(state_), e, ctx);
        if constexpr (detail::has_items<M>) {
            for (auto& i : M::items(state_, e, ctx)) {
                items_.push_back(std::move(i));
            }
        }
    }

    std::string answer_of(const std::vector<event_type>& events, const view_context& ctx) const {
        if constexpr (detail::has_answer<M>) {
            return M::answer(state_, events, ctx);
        } else {
            return M::view(state_, ctx).document;
        }
    }

    const performer_of<M>* performer_;
    state_type state_{};
    std::vector<item> items_;
};

/// Registers a model. The performer (may be empty) is shared by all instances and called from many threads.
template <class M>
entity_kind make_kind(performer_of<M> performer = {}) {
    auto shared = std::make_shared<const performer_of<M>>(std::move(performer));
    return {std::string(M::kind), [shared] { return std::make_unique<hosted_model<M>>(shared.get()); },
            detail::has_blobs<M>, detail::has_holds<M>};
}

} // namespace troupe::runtime
