#include "runtime/cluster/envelope.hpp"

#include "storage/bytes.hpp"

#include <algorithm>
#include <limits>

namespace troupe::runtime::cluster {

namespace {

using storage::byte_reader;
using storage::put_fixed;
using storage::put_text;
using storage::put_uuid;
using storage::put_varint;

enum class kind : std::uint8_t {
    command = 1,
    answer = 2,
    question = 3,
    indexes = 4,
    live = 5,
    node_question = 6,
    node_answer = 7
};

constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();

void put_kind(std::string& out, kind k) { put_fixed(out, static_cast<std::uint8_t>(k)); }

void put_address(std::string& out, const entity_address& a) {
    put_uuid(out, a.organization);
    put_text(out, a.kind);
    put_uuid(out, a.id);
}

entity_address read_address(byte_reader& in) {
    entity_address out;
    out.organization = in.id();
    out.kind = in.text();
    out.id = in.id();
    return out;
}

void put_command(std::string& out, const command& c, std::int64_t now_ms) {
    put_address(out, c.to);
    for (const auto* text : {&c.type, &c.payload, &c.id, &c.principal, &c.cause, &c.correlation, &c.trace,
                             &c.client.address, &c.client.program}) {
        put_text(out, *text);
    }
    put_uuid(out, c.client.organization);
    put_fixed(out, c.request_hash);
    put_fixed(out, c.deadline_ms == 0 ? no_deadline : c.deadline_ms - now_ms);
    put_varint(out, c.if_match ? *c.if_match + 1 : 0);
}

command read_command(byte_reader& in, std::int64_t now_ms) {
    command c;
    c.to = read_address(in);
    for (auto* text : {&c.type, &c.payload, &c.id, &c.principal, &c.cause, &c.correlation, &c.trace, &c.client.address,
                       &c.client.program}) {
        *text = in.text();
    }
    c.client.organization = in.id();
    c.request_hash = in.fixed<std::uint64_t>();
    const auto left = in.fixed<std::int64_t>();
    c.deadline_ms = left == no_deadline ? 0 : std::max<std::int64_t>(1, now_ms + left);
    if (const auto match = in.varint(); match > 0) {
        c.if_match = match - 1;
    }
    return c;
}

void put_problem(std::string& out, const problem& why) {
    put_varint(out, why.retry_after_s ? *why.retry_after_s + 1ULL : 0);
    put_text(out, to_problem_json(why));
}

problem read_problem(byte_reader& in) {
    const auto retry = in.varint();
    auto why = from_problem_json(in.text(), 0);
    why.retry_after_s = retry == 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(retry - 1));
    return why;
}

void put_answer(std::string& out, const reply& r) {
    put_fixed(out, static_cast<std::uint8_t>(r.has_value()));
    if (r) {
        put_varint(out, r->version);
        put_fixed(out, static_cast<std::uint8_t>(r->repeated));
        put_text(out, r->document);
    } else {
        put_problem(out, r.error());
    }
}

reply read_answer(byte_reader& in) {
    if (in.fixed<std::uint8_t>() != 0) {
        outcome out;
        out.version = in.varint();
        out.repeated = in.fixed<std::uint8_t>() != 0;
        out.document = in.text();
        return out;
    }
    return read_problem(in);
}

void put(std::string& out, const command_envelope& e, std::int64_t now_ms) {
    put_kind(out, kind::command);
    put_varint(out, e.number);
    put_fixed(out, e.decided_after);
    put_command(out, e.what, now_ms);
}
void put(std::string& out, const answer_envelope& e, std::int64_t) {
    put_kind(out, kind::answer);
    put_varint(out, e.number);
    put_fixed(out, static_cast<std::uint8_t>(e.elsewhere));
    put_varint(out, e.applied);
    put_fixed(out, e.decided_after);
    put_answer(out, e.answer);
}
void put(std::string& out, const index_question& e, std::int64_t) {
    put_kind(out, kind::question);
    put_varint(out, e.round);
}
void put(std::string& out, const index_answer& e, std::int64_t) {
    put_kind(out, kind::indexes);
    put_varint(out, e.round);
    for (const auto& [shard, seq] : e.applied) {
        put_varint(out, shard);
        put_varint(out, seq);
    }
}
void put(std::string& out, const live_envelope& e, std::int64_t) {
    put_kind(out, kind::live);
    put_varint(out, 0);
    put_fixed(out, e.what.ts.ms);
    put_uuid(out, e.what.organization);
    put_text(out, e.what.channel);
    put_text(out, e.what.kind);
    put_text(out, e.what.data);
}

void put(std::string& out, const node_question& e, std::int64_t) {
    put_kind(out, kind::node_question);
    put_varint(out, e.number);
    put_text(out, e.name);
    put_text(out, e.parameters);
}
void put(std::string& out, const node_answer& e, std::int64_t) {
    put_kind(out, kind::node_answer);
    put_varint(out, e.number);
    put_fixed(out, static_cast<std::uint8_t>(e.answer.has_value()));
    e.answer ? put_text(out, *e.answer) : put_problem(out, e.answer.error());
}

live_envelope read_live(byte_reader& in) {
    live_envelope out;
    out.what.ts.ms = in.fixed<std::int64_t>();
    out.what.organization = in.id();
    out.what.channel = in.text();
    out.what.kind = in.text();
    out.what.data = in.text();
    return out;
}

envelope read(kind k, byte_reader& in, std::int64_t now_ms) {
    const auto number = in.varint();
    switch (k) {
    case kind::command: {
        command_envelope out{number, {}, in.fixed<std::uint64_t>()};
        out.what = read_command(in, now_ms);
        return out;
    }
    case kind::answer: {
        const bool elsewhere = in.fixed<std::uint8_t>() != 0;
        const auto applied = in.varint();
        const auto decided_after = in.fixed<std::uint64_t>();
        return answer_envelope{number, elsewhere, read_answer(in), applied, decided_after};
    }
    case kind::question:
        return index_question{number};
    case kind::live:
        return read_live(in);
    case kind::node_question: {
        node_question out{number, {}, {}};
        out.name = in.text();
        out.parameters = in.text();
        return out;
    }
    case kind::node_answer:
        return in.fixed<std::uint8_t>() != 0 ? node_answer{number, std::string(in.text())}
                                             : node_answer{number, read_problem(in)};
    case kind::indexes:
        break;
    }
    index_answer out{number, {}};
    while (in.ok() && !in.at_end()) {
        const auto shard = static_cast<std::uint32_t>(in.varint());
        out.applied.emplace_back(shard, in.varint());
    }
    return out;
}

} // namespace

std::string encode(const envelope& e, std::int64_t now_ms) {
    std::string out;
    std::visit([&](const auto& x) { put(out, x, now_ms); }, e);
    return out;
}

expected<envelope> decode_envelope(std::string_view frame, std::int64_t now_ms) {
    byte_reader in(frame);
    const auto k = in.fixed<std::uint8_t>();
    if (k < static_cast<std::uint8_t>(kind::command) || k > static_cast<std::uint8_t>(kind::node_answer)) {
        return problem{code::invalid_request, "an envelope of kind " + std::to_string(k) + ", which is not known here"};
    }
    auto out = read(static_cast<kind>(k), in, now_ms);
    return in.at_end() ? expected<envelope>(std::move(out))
                       : expected<envelope>(problem{code::invalid_request, "an envelope that ends early or late"});
}

} // namespace troupe::runtime::cluster
