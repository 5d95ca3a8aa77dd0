#include "runtime/entity/effects.hpp"

#include "runtime/entity/derive.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/log.hpp"
#include "schemas/effect_settled.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <future>
#include <set>

namespace troupe::runtime {

namespace {

constexpr std::int64_t retry_first_ms = 100;
constexpr std::int64_t retry_max_ms = 30'000;

std::int64_t back_off(std::uint32_t attempts) {
    return std::min(retry_max_ms, retry_first_ms << std::min(attempts, 9U));
}

/// Whether asking again may help: the receiver did not judge the command.
bool is_transient(code c) {
    switch (c) {
    case code::overloaded:
    case code::unavailable:
    case code::deadline_exceeded:
    case code::storage_full:
    case code::storage_failed:
    case code::unknown_outcome:
    case code::quarantined: // until somebody mends it: what is owed stays owed
    case code::journal_damaged:
    case code::internal:
        return true;
    default:
        return false;
    }
}

const std::string& key_of(const effect& e) {
    return std::visit([](const auto& x) -> const std::string& { return x.key; }, e);
}

class performing final : public effect_context {
public:
    performing(host_services& services, entity_address self, std::stop_token stop, std::string key)
        : services_(services), self_(std::move(self)), stop_(std::move(stop)), key_(std::move(key)) {}

    [[nodiscard]] const entity_address& self() const override { return self_; }
    [[nodiscard]] std::stop_token stop() const override { return stop_; }

    void publish(std::string_view channel, std::string_view kind, std::string data) override {
        if (services_.publish) {
            services_.publish(self_, channel, kind, std::move(data));
        }
    }

    reply ask(command c) override {
        const auto answer = std::make_shared<std::promise<reply>>();
        auto future = answer->get_future();
        services_.dispatch(std::move(c), [answer](reply r) { answer->set_value(std::move(r)); });
        return future.get();
    }

    reply tell_self(self_command c) override {
        command out;
        out.to = self_;
        out.id = c.id.empty() ? effect_command_id(self_, key_) + "/progress/" + std::to_string(++progress_)
                              : std::move(c.id);
        out.type = std::move(c.type);
        out.payload = std::move(c.payload);
        out.principal = "node";
        return ask(std::move(out));
    }

private:
    host_services& services_;
    entity_address self_;
    std::stop_token stop_;
    std::string key_;
    std::uint64_t progress_ = 0;
};

} // namespace

void effect_table::stop(bool all) {
    for (auto& [key, f] : flights_) {
        if (all || !f.survives) {
            f.stop.request_stop();
        }
    }
}

effect_table::effect_table(host_services& services, caf::actor_system& system, const entity_address& self)
    : services_(services), system_(system), self_(self) {}

std::int64_t effect_table::reconcile(const std::vector<effect>& owed, const entity_instance& instance,
                                     const entity_actor& owner) {
    const auto now = monotonic_ms();
    std::int64_t again_ms = -1;
    std::set<std::string_view> wanted;
    for (const auto& e : owed) {
        if (std::holds_alternative<timer_effect>(e)) {
            continue; // a row of the timer table: the timer service looks there
        }
        wanted.insert(key_of(e));
        auto& f = flights_[key_of(e)];
        if (f.working) {
            continue;
        }
        if (f.delivered) {
            // It ended and the model still names it: a defect of the model must not spin.
            f.delivered = false;
            f.rest_until_ms = now + back_off(f.attempts++);
        }
        if (f.rest_until_ms > now) {
            const auto wait = f.rest_until_ms - now;
            again_ms = again_ms < 0 ? wait : std::min(again_ms, wait);
            continue;
        }
        start(e, key_of(e), f, instance, owner);
    }
    for (auto f = flights_.begin(); f != flights_.end();) {
        if (wanted.contains(f->first)) {
            ++f;
            continue;
        }
        f->second.stop.request_stop();
        well_again(f->first, f->second);
        f = f->second.working ? std::next(f) : flights_.erase(f);
    }
    return again_ms;
}

void effect_table::start(const effect& e, const std::string&, flight& f, const entity_instance& instance,
                         const entity_actor& owner) {
    f.working = true;
    f.stop = std::stop_source();
    if (const auto* send = std::get_if<send_effect>(&e)) {
        send_command(*send, owner);
    } else if (const auto* work = std::get_if<perform_effect>(&e)) {
        f.survives = work->survives;
        perform(*work, f, instance, owner);
    }
}

void effect_table::send_command(const send_effect& e, const entity_actor& owner) const {
    command c;
    c.to = e.to;
    c.type = e.type;
    c.payload = e.payload;
    c.id = effect_command_id(self_, e.key);
    c.principal = self_.kind + "/" + to_string(self_.id);
    c.cause = c.id;
    services_.dispatch(std::move(c), [key = e.key, then = e.then, owner](reply r) {
        effect_done_msg done{key, {}, false, {}};
        if (!r && is_transient(r.error().code)) {
            done.crashed = true;
            done.cause = r.error().detail;
        } else {
            effect_settled settled{key, r.has_value(), "", "", {}};
            if (r) {
                settled.document.text = r->document.empty() ? "null" : r->document;
            } else {
                settled.code = explain(r.error().code).name;
                settled.detail = r.error().detail;
            }
            done.commands.push_back({then, to_json(settled), {}});
        }
        caf::anon_send(owner, std::move(done));
    });
}

/// Its place under its entity, while it is at work.
supervision_tree::entry effect_table::in_tree(const perform_effect& e) const {
    if (!services_.tree) {
        return {};
    }
    auto name = e.key;
    std::ranges::replace(name, '/', '-');
    auto entry = services_.tree->add(
        entity_path(services_, services_.store->shard_of(self_), self_) + "/effects/" + name, "performer");
    entry.set_policy("done again by its entity, 100 ms after a failure, doubling to 30 s");
    return entry;
}

void effect_table::perform(const perform_effect& e, const flight& f, const entity_instance& instance,
                           const entity_actor& owner) const {
    auto work = instance.bind(e);
    if (!work) {
        log_for("entity").error("{} owes '{}', but its kind has no performer", to_string(self_), e.type);
        caf::anon_send(owner, effect_done_msg{e.key, {}, true, "the kind has no performer"});
        return;
    }
    if (services_.performing.fetch_add(1) >= performing_max) {
        --services_.performing;
        caf::anon_send(owner, effect_done_msg{e.key, {}, true, "as many effects are in work as may be"});
        return;
    }
    auto& services = services_;
    auto entry = std::make_shared<supervision_tree::entry>(in_tree(e));
    auto run = [work = std::move(work), &services, self = self_, stop = f.stop.get_token(), key = e.key, owner, entry] {
        effect_done_msg done{key, {}, false, {}};
        try {
            performing ctx(services, self, stop, key);
            done.commands = work(ctx);
        } catch (const std::exception& defect) {
            done.crashed = true;
            done.cause = defect.what();
        } catch (...) {
            done.crashed = true;
            done.cause = "it threw something that is no exception of the standard library";
        }
        --services.performing;
        *entry = {}; // CAF keeps the function longer
        caf::anon_send(owner, std::move(done));
    };
    try {
        if (services_.start_work) {
            services_.start_work(std::move(run));
        } else {
            system_.spawn<caf::detached>(std::move(run));
        }
    } catch (const std::exception& defect) { // no thread to be had
        --services_.performing;
        caf::anon_send(owner, effect_done_msg{e.key, {}, true, defect.what()});
    }
}

namespace {

/// Sends the commands of an ended effect one after the other; the last answer reports back to the entity.
struct delivery : std::enable_shared_from_this<delivery> {
    host_services& services;
    entity_address self;
    std::string key;
    std::vector<self_command> commands;
    entity_actor owner;
    std::size_t next = 0;

    delivery(host_services& s, entity_address a, std::string k, std::vector<self_command> c, entity_actor o)
        : services(s), self(std::move(a)), key(std::move(k)), commands(std::move(c)), owner(std::move(o)) {}

    void step() {
        if (next == commands.size()) {
            caf::anon_send(owner, effect_done_msg{key, {}, false, "delivered"});
            return;
        }
        const auto& self_command = commands[next];
        command c;
        c.to = self;
        c.type = self_command.type;
        c.payload = self_command.payload;
        c.id = self_command.id.empty() ? effect_command_id(self, key) + "/" + std::to_string(next) : self_command.id;
        c.principal = "node";
        c.cause = effect_command_id(self, key);
        services.dispatch(std::move(c), [me = shared_from_this()](reply r) { me->answered(std::move(r)); });
    }

    void answered(reply r) {
        if (!r && is_transient(r.error().code)) {
            caf::anon_send(owner, effect_done_msg{key, {}, true, r.error().detail});
            return;
        }
        if (!r) {
            log_for("entity").warn("{} refused the outcome '{}' of effect {}: {}", to_string(self), commands[next].type,
                                   key, r.error().detail);
            if (services.letters) {
                services.letters->record("effect", to_string(self), commands[next].type, r.error().detail);
            }
        }
        ++next;
        step();
    }
};

} // namespace

void effect_table::well_again(const std::string& key, const flight& f) {
    if (f.attempts > 0 && services_.troubles) {
        services_.troubles->effect_ended(self_, key);
    }
}

void effect_table::done(const effect_done_msg& m, const entity_actor& owner) {
    const auto found = flights_.find(m.key);
    if (found == flights_.end()) {
        return;
    }
    auto& f = found->second;
    if (m.crashed) {
        log_for("entity").warn("effect {} of {} is tried again: {}", m.key, to_string(self_), m.cause);
        f.working = false;
        const auto wait_ms = back_off(f.attempts++);
        f.rest_until_ms = monotonic_ms() + wait_ms;
        if (services_.troubles) {
            const auto now = services_.clock();
            services_.troubles->effect_failed(self_, {m.key, f.attempts, now, now + wait_ms, m.cause});
        }
        return;
    }
    if (m.commands.empty()) { // its commands were answered, or there were none
        f.working = false;
        f.delivered = true;
        well_again(m.key, f);
        return;
    }
    std::make_shared<delivery>(services_, self_, m.key, m.commands, owner)->step();
}

} // namespace troupe::runtime
