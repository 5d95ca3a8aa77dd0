#include "storage/replication/wire.hpp"

#include "storage/bytes.hpp"

namespace troupe::storage::replication {

namespace {

void put(std::string& out, position at) {
    put_varint(out, at.seq);
    put_varint(out, at.epoch);
}
void put(std::string& out, const append& m) {
    put_varint(out, m.epoch);
    put(out, m.prev);
    put_varint(out, m.entry_epoch);
    put_varint(out, m.count);
    put_varint(out, m.commit);
}
void put(std::string& out, const pulled& m) { put(out, m.message); }
void put(std::string& out, const ack& m) {
    put_varint(out, m.epoch);
    put_fixed(out, m.answer);
    put(out, m.at);
    put_varint(out, m.refused_seq);
}
void put(std::string& out, const seal& m) { put_varint(out, m.epoch); }
void put(std::string& out, const sealed& m) {
    put_varint(out, m.epoch);
    put_varint(out, m.promise);
    put(out, m.tail);
}
void put(std::string& out, const pull& m) {
    put_varint(out, m.epoch);
    put(out, m.after);
}
void put(std::string& out, const hand_over& m) { put_varint(out, m.epoch); }

void get(byte_reader& in, position& at) {
    at.seq = in.varint();
    at.epoch = in.varint();
}
void get(byte_reader& in, append& m) {
    m.epoch = in.varint();
    get(in, m.prev);
    m.entry_epoch = in.varint();
    m.count = in.varint();
    m.commit = in.varint();
}
void get(byte_reader& in, pulled& m) { get(in, m.message); }
void get(byte_reader& in, ack& m) {
    m.epoch = in.varint();
    m.answer = static_cast<verdict>(in.fixed<std::uint8_t>());
    get(in, m.at);
    m.refused_seq = in.varint();
}
void get(byte_reader& in, seal& m) { m.epoch = in.varint(); }
void get(byte_reader& in, sealed& m) {
    m.epoch = in.varint();
    m.promise = in.varint();
    get(in, m.tail);
}
void get(byte_reader& in, pull& m) {
    m.epoch = in.varint();
    get(in, m.after);
}
void get(byte_reader& in, hand_over& m) { m.epoch = in.varint(); }

/// An empty message of the kind with that number; false: there is none.
template <std::size_t Kind = 0>
bool make(std::size_t kind, message& out) {
    if constexpr (Kind < std::variant_size_v<message>) {
        if (kind == Kind) {
            out.emplace<Kind>();
            return true;
        }
        return make<Kind + 1>(kind, out);
    }
    return false;
}

/// What arithmetic on it could not bear.
bool is_sound(const append& m) { return m.prev.seq + m.count >= m.prev.seq && m.prev.seq + m.count < UINT64_MAX; }
bool is_sound(const message& m) {
    if (const auto* a = std::get_if<append>(&m)) {
        return is_sound(*a);
    }
    if (const auto* p = std::get_if<pulled>(&m)) {
        return is_sound(p->message);
    }
    const auto* a = std::get_if<ack>(&m);
    return a == nullptr || a->answer <= verdict::stale;
}

} // namespace

void put_message(std::string& frame, std::uint32_t shard, const message& m, std::string_view entries) {
    put_varint(frame, shard);
    put_fixed(frame, static_cast<std::uint8_t>(m.index()));
    std::visit([&](const auto& one) { put(frame, one); }, m);
    put_text(frame, entries);
}

expected<void> each_message(
    std::string_view frame,
    const std::function<expected<void>(std::uint32_t shard, const message& m, std::string_view entries)>& visit) {
    byte_reader in(frame);
    while (!in.at_end()) {
        const auto shard = in.varint();
        message m;
        const bool known = make(in.fixed<std::uint8_t>(), m);
        std::visit([&](auto& one) { get(in, one); }, m);
        const auto entries = in.text();
        if (!in.ok() || !known || shard > UINT16_MAX || !is_sound(m)) {
            return problem{code::invalid_request, "a frame between replicas cannot be read; are both of one version?"};
        }
        if (auto done = visit(static_cast<std::uint32_t>(shard), m, entries); !done) {
            return done;
        }
    }
    return {};
}

} // namespace troupe::storage::replication
