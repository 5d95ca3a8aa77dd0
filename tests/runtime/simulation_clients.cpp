#include "storage/log_reader.hpp"
#include "tests/runtime/simulation.hpp"
#include "tests/runtime/simulation_life.hpp"

#include <string>
#include <utility>

/// What the clients of the simulation send, and what they make of the answers.
namespace troupe::test {

void simulation::send_new() {
    if (operations_.size() == operations_max) {
        return;
    }
    client_operation o;
    o.number = static_cast<std::int64_t>(operations_.size());
    o.entity = entities_[random_.below(entities_.size())];
    o.keyed = random_.chance(70);
    o.life = life_number_;
    const auto what = random_.below(100);
    if (what < 45) {
        o.parts = 1 + static_cast<std::int64_t>(random_.below(3));
        o.refuse = random_.chance(10);
        o.type = "note";
        o.payload = to_json(note{o.number, o.parts, o.refuse});
        if (const auto seen = storage::read_version(*life_->store, {system_organization, "ledger", o.entity});
            random_.chance(10) && seen && *seen > 0) {
            o.if_match = *seen;
        }
    } else if (what < 62) {
        o.type = "tell_other";
        o.payload = to_json(tell_other{o.number, entities_[random_.below(entities_.size())], random_.chance(10)});
    } else if (what < 78) {
        o.type = "remind";
        o.payload = to_json(remind{
            o.number, static_cast<std::int64_t>(random_.below(random_.chance(50) ? 200 : 20'000)), random_.chance(5)});
    } else if (what < 92) {
        o.type = "perform";
        o.payload = to_json(perform{o.number, 1 + static_cast<std::int64_t>(random_.below(3)), random_.chance(30),
                                    random_.chance(50), random_.chance(5)});
    } else if (what < 97) {
        const auto of = random_.below(operations_.size() + 1); // one that is no work changes nothing
        o.entity = of < operations_.size() ? operations_[of].entity : o.entity;
        o.type = "cancel";
        o.payload = to_json(cancel{o.number, static_cast<std::int64_t>(of)});
    } else {
        o.type = "explode";
        o.payload = to_json(explode{o.number});
    }
    operations_.push_back(std::move(o));
    send(operations_.back(), false);
}

/// A client repeats itself: it lost the answer, is impatient, or uses the key for something else by mistake.
void simulation::send_again() {
    if (operations_.empty()) {
        return;
    }
    auto& o = operations_[random_.below(operations_.size())];
    if (o.keyed) {
        send(o, o.became == fate::done && random_.chance(20));
    }
}

void simulation::send(client_operation& o, bool changed) {
    runtime::command c;
    c.to = {system_organization, std::string(ledger_model::kind), o.entity};
    c.type = o.type;
    c.payload = o.payload;
    c.id = o.keyed ? "key/" + std::to_string(o.number) : std::string();
    c.request_hash = static_cast<std::uint64_t>(o.number) * 2 + (changed ? 1 : 0);
    c.principal = "client";
    c.if_match = o.if_match;
    if (!changed) {
        ++o.sent;
        ++o.waiting;
        o.in_one_piece = o.sent == 1;
    }
    ++counts_.commands;
    const auto index = static_cast<std::size_t>(o.number);
    life_->submit(std::move(c), [this, index, life = life_number_, changed](const runtime::reply& r) {
        if (life == life_number_ && !over()) {
            answered(index, life, changed, r);
        }
    });
}

void simulation::answered(std::size_t index, std::uint64_t, bool changed, const runtime::reply& r) {
    auto& o = operations_[index];
    trace_.add(index);
    trace_.add(r ? r->version : static_cast<std::uint64_t>(r.error().code));
    if (changed) {
        if (r) {
            wrong("number " + std::to_string(o.number) + ": its key was accepted for another request");
        }
        return;
    }
    --o.waiting;
    r ? acknowledged(o, *r) : refused(o, r.error());
}

void simulation::acknowledged(client_operation& o, const runtime::outcome& r) {
    ++counts_.acknowledged;
    const auto name = "number " + std::to_string(o.number);
    if (o.became == fate::done) {
        if (r.version != o.version || r.document != o.document) {
            wrong(name + ": a repeat got another answer");
        }
        return;
    }
    if (o.became != fate::open) {
        wrong(name + ": was refused for good and then accepted");
    }
    if (r.repeated && o.sent == 1) {
        wrong(name + ": was called a repeat, and was none");
    }
    if (o.if_match && r.version != *o.if_match + static_cast<std::uint64_t>(o.parts)) {
        wrong(name + ": was accepted at another version than it asked for");
    }
    o.became = fate::done;
    o.version = r.version;
    o.document = r.document;
}

void simulation::refused(client_operation& o, const problem& p) {
    const auto settle_as = [&](fate f) {
        if (o.became != fate::open && o.became != f) {
            wrong("number " + std::to_string(o.number) + ": has two different ends");
        }
        o.became = f;
    };
    if ((p.code == code::conflict && o.refuse) || (p.code == code::precondition_failed && o.if_match)) {
        settle_as(fate::refused);
    } else if (p.code == code::poison) {
        settle_as(fate::set_aside);
    } else if (p.code == code::storage_full) {
        ++counts_.full; // not written: no trace of this attempt
    } else if (p.code == code::unknown_outcome && !o.keyed) {
        o.maybe = true; // its events were cut before its answer: with such a short retention only
    } else if (disk_.failures() > failures_before_) {
        o.maybe = true; // a disk that fails may be said to fail
    } else {
        wrong("number " + std::to_string(o.number) + ": unexpected refusal: " + p.detail);
    }
}

} // namespace troupe::test
